import type { Command } from 'commander';
import { limit } from '../../../contract/fleet/limits.ts';
import { remoteCommand } from '../command.ts';
import { connect } from '../context.ts';
import type { World } from '../context.ts';
import { limitText } from './list.ts';
import { scopeOf, type ScopeOptions, withScope } from './scope.ts';

export function limitRemove(world: World): Command {
  const command = remoteCommand({
    name: 'remove',
    description: 'Take a limit away',
    examples: ['skep limit remove --project Todo'],
  });
  return withScope(command).action(async (options: ScopeOptions) => {
    const context = await connect(world, options);
    const query = await scopeOf(context, options);
    const removed = await context.client.request('DELETE', '/api/limits', { query, schema: limit });
    const text = context.json ? '' : await limitText(context, removed);
    context.show(removed, () => `removed\n${text}`);
  });
}
