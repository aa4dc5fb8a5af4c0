import type { Command } from 'commander';
import { brake } from '../../../contract/fleet/brake.ts';
import { remoteCommand } from '../command.ts';
import { connect } from '../context.ts';
import type { RemoteOptions, World } from '../context.ts';
import { brakeText } from './show.ts';

interface Options extends RemoteOptions {
  readonly reason?: string;
}

export function brakePull(world: World): Command {
  return remoteCommand({
    name: 'pull',
    description: 'Hold all claims back until you lift the brake; what runs goes on',
    examples: ["skep brake pull --reason 'the build machines move'", 'skep brake pull'],
  })
    .option('--reason <text>', 'why; shown to whoever looks')
    .action(async (options: Options) => {
      const context = await connect(world, options);
      const body = options.reason === undefined ? {} : { reason: options.reason };
      const now = await context.client.request('POST', '/api/brake/pull', { body, schema: brake });
      context.show(now, () => brakeText(context, now));
    });
}
