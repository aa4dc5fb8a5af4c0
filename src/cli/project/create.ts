import type { Command } from 'commander';
import { project } from '../../../contract/projects.ts';
import { remoteCommand } from '../command.ts';
import { connect } from '../context.ts';
import type { RemoteOptions, World } from '../context.ts';
import { repositoryArgument } from '../input/repository.ts';
import { agentOf, nameOf, operands, withAgent } from './agent.ts';
import type { AgentOptions } from './agent.ts';
import { policiesGiven, withPolicies } from './checks.ts';
import type { PolicyOptions } from './checks.ts';
import { projectText } from './find.ts';
import { routerGiven, withRouter } from '../template/router.ts';
import type { RouterOptions } from '../template/router.ts';

interface Options extends RemoteOptions, PolicyOptions, AgentOptions, RouterOptions {
  readonly name?: string;
  readonly repository?: string;
}

export function projectCreate(world: World): Command {
  const command = remoteCommand({
    name: 'create',
    description: "Make a project. What follows -- is the agent's program with its arguments; no shell reads it",
    examples: [
      "skep project create demo --repository . --check 'npm test' -- node agent.js --fast",
      'skep project create demo --repository . --agent pi --model anthropic/claude-sonnet-4-5',
    ],
  })
    .argument('[name]', 'its name')
    .argument('[agent...]', "after --: the agent's command")
    .option('--name <name>', 'its name, instead of the argument')
    .option('--repository <path-or-url>', 'a folder here, or a URL that git can clone');
  return withRouter(withPolicies(withAgent(command))).action(async () => {
    const options = command.opts<Options>();
    const words = operands(world, command.args);
    const name = nameOf(words, options.name);
    const agent = agentOf(words, options);
    const router = routerGiven(options);
    const policies = { ...policiesGiven(options), ...(router === undefined ? {} : { router }) };
    const context = await connect(world, options);
    const repository =
      options.repository === undefined
        ? undefined
        : repositoryArgument(options.repository, { cwd: world.cwd, server: context.server });
    const made = await context.client.request('POST', '/api/projects', {
      body: { name, ...(repository === undefined ? {} : { repository }), ...(agent === undefined ? {} : { agent }), ...policies },
      schema: project,
    });
    context.show(made, () => projectText(made));
  });
}
