import type { Command } from 'commander';
import { limit } from '../../../contract/fleet/limits.ts';
import { remoteCommand, whole } from '../command.ts';
import { connect } from '../context.ts';
import type { World } from '../context.ts';
import { limitText } from './list.ts';
import { scopeOf, type ScopeOptions, withScope } from './scope.ts';

interface Options extends ScopeOptions {
  readonly runs: number;
}

const runsMax = 10_000;

export function limitSet(world: World): Command {
  const command = remoteCommand({
    name: 'set',
    description: 'Limit how many runs of a scope are under way at once. What runs already goes on; 0 holds all others back',
    examples: [
      'skep limit set --tenant --runs 20',
      'skep limit set --project Todo --runs 4',
      'skep limit set --agent codex --runs 2',
      'skep limit set --worker build-1 --runs 1',
    ],
  });
  return withScope(command)
    .requiredOption('--runs <n>', 'at most so many at once', whole(0, runsMax))
    .action(async (options: Options) => {
      const context = await connect(world, options);
      const body = { ...(await scopeOf(context, options)), runs_max: options.runs };
      const made = await context.client.request('PUT', '/api/limits', { body, schema: limit });
      const text = context.json ? '' : await limitText(context, made);
      context.show(made, () => text);
    });
}
