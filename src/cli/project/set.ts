import type { Command } from 'commander';
import { project } from '../../../contract/projects.ts';
import { remoteCommand, usage } from '../command.ts';
import { connect } from '../context.ts';
import type { RemoteOptions, World } from '../context.ts';
import { repositoryArgument } from '../input/repository.ts';
import { agentOf, nameOf, operands, saysAgent, withAgent } from './agent.ts';
import type { AgentOptions } from './agent.ts';
import { policiesGiven, withPolicies } from './checks.ts';
import type { PolicyOptions } from './checks.ts';
import { findProject, projectText } from './find.ts';
import { routerGiven, withRouter } from '../template/router.ts';
import type { RouterOptions } from '../template/router.ts';

interface Options extends RemoteOptions, PolicyOptions, AgentOptions, RouterOptions {
  readonly repository?: string;
}

export function projectSet(world: World): Command {
  const command = remoteCommand({
    name: 'set',
    description: "Change a project's repository, its agent, or how its work is verified",
    examples: [
      'skep project set demo --timeout 600 -- python3 agent.py',
      'skep project set demo --agent codex --model openai/gpt-5-codex',
      'skep project set demo --planner anthropic/claude-sonnet-4-5',
      "skep project set demo --check 'npm test' --check 'npm run lint' --test-changes allow",
      "skep project set demo --setup 'npm ci'",
      'skep project set demo --route bug=careful --default-template quick',
      'skep project set demo --label gpu --collisions allow',
      'skep project set demo --isolation kernel',
      'skep project set demo --repository https://forge.example/demo.git',
    ],
  })
    .argument('<name>', 'its name or id')
    .argument('[agent...]', "after --: the agent's command")
    .option('--repository <path-or-url>', 'a folder here, or a URL that git can clone');
  return withRouter(withPolicies(withAgent(command))).action(async () => {
    const options = command.opts<Options>();
    const words = operands(world, command.args);
    const name = nameOf(words, undefined);
    const router = routerGiven(options);
    const policies = { ...policiesGiven(options), ...(router === undefined ? {} : { router }) };
    const isNothing = options.repository === undefined && !saysAgent(words, options);
    if (isNothing && Object.keys(policies).length === 0) {
      throw usage(
        'There is nothing to change',
        "Give --repository, --agent, --model, --timeout, --planner, --setup, --check, --collisions, --label, --isolation, --route, --default-template, or -- and the agent's command",
      );
    }
    const context = await connect(world, options);
    const repository =
      options.repository === undefined
        ? undefined
        : repositoryArgument(options.repository, { cwd: world.cwd, server: context.server });
    const before = await findProject(context, name);
    const agent = agentOf(words, options, before.agent);
    const after = await context.client.request('PATCH', `/api/projects/${before.id}`, {
      body: { ...(repository === undefined ? {} : { repository }), ...(agent === undefined ? {} : { agent }), ...policies },
      schema: project,
    });
    context.show(after, () => projectText(after));
  });
}
