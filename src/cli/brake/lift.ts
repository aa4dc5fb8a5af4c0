import type { Command } from 'commander';
import { brake } from '../../../contract/fleet/brake.ts';
import { remoteCommand } from '../command.ts';
import { connect } from '../context.ts';
import type { RemoteOptions, World } from '../context.ts';
import { brakeText } from './show.ts';

export function brakeLift(world: World): Command {
  return remoteCommand({
    name: 'lift',
    description: 'Let runs be claimed again, whoever pulled the brake',
    examples: ['skep brake lift'],
  }).action(async (options: RemoteOptions) => {
    const context = await connect(world, options);
    const now = await context.client.request('POST', '/api/brake/lift', { body: {}, schema: brake });
    context.show(now, () => brakeText(context, now));
  });
}
