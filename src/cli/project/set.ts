import type { Command } from 'commander';
import { project } from '../../../contract/projects.ts';
import { remoteCommand, usage, whole } from '../command.ts';
import { connect } from '../context.ts';
import type { RemoteOptions, World } from '../context.ts';
import { repositoryArgument } from '../input/repository.ts';
import { agentOf, nameOf, operands } from './agent.ts';
import { policiesGiven, withPolicies } from './checks.ts';
import type { PolicyOptions } from './checks.ts';
import { findProject, projectText } from './find.ts';

interface Options extends RemoteOptions, PolicyOptions {
  readonly repository?: string;
  readonly timeout?: number;
}

export function projectSet(world: World): Command {
  const command = remoteCommand({
    name: 'set',
    description: "Change a project's repository, its agent, or how its work is verified",
    examples: [
      'skep project set demo --timeout 600 -- python3 agent.py',
      "skep project set demo --check 'npm test' --check 'npm run lint' --test-changes allow",
      'skep project set demo --repository https://forge.example/demo.git',
    ],
  })
    .argument('<name>', 'its name or id')
    .argument('[agent...]', "after --: the agent's command")
    .option('--repository <path-or-url>', 'a folder here, or a URL that git can clone')
    .option('--timeout <seconds>', 'longest time of one run', whole(1, 86_400));
  return withPolicies(command).action(async () => {
    const options = command.opts<Options>();
    const words = operands(world, command.args);
    const name = nameOf(words, undefined);
    const policies = policiesGiven(options);
    const isNothing = options.repository === undefined && options.timeout === undefined && words.agent.length === 0;
    if (isNothing && Object.keys(policies).length === 0) {
      throw usage('There is nothing to change', "Give --repository, --timeout, --check, or -- and the agent's command");
    }
    const context = await connect(world, options);
    const repository =
      options.repository === undefined
        ? undefined
        : repositoryArgument(options.repository, { cwd: world.cwd, server: context.server });
    const before = await findProject(context, name);
    const agent = agentOf(words, options.timeout, before.agent);
    const after = await context.client.request('PATCH', `/api/projects/${before.id}`, {
      body: { ...(repository === undefined ? {} : { repository }), ...(agent === undefined ? {} : { agent }), ...policies },
      schema: project,
    });
    context.show(after, () => projectText(after));
  });
}
