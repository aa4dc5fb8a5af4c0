import type { Command } from 'commander';
import { z } from 'zod';
import { remoteCommand } from '../command.ts';
import { connect } from '../context.ts';
import type { RemoteOptions, World } from '../context.ts';
import { printable } from '../output/text.ts';

/** `drain` and `undrain`: two words for one thing and its end. */
export function workerDrains(world: World): readonly Command[] {
  return [
    told(world, {
      verb: 'drain',
      description: 'Let a worker claim nothing more; what it runs goes on, and it waits until it is undrained or stopped',
      said: name => `${name} claims nothing more`,
    }),
    told(world, {
      verb: 'undrain',
      description: 'Let a worker that was drained claim again',
      said: name => `${name} claims again`,
    }),
  ];
}

interface Told {
  readonly verb: 'drain' | 'undrain';
  readonly description: string;
  readonly said: (name: string) => string;
}

function told(world: World, { verb, description, said }: Told): Command {
  return remoteCommand({ name: verb, description, examples: [`skep worker ${verb} build-7`] })
    .argument('<name>', "the worker, as 'skep worker list' shows it")
    .action(async (name: string, options: RemoteOptions) => {
      const context = await connect(world, options);
      await context.client.request('POST', `/api/workers/${encodeURIComponent(name)}/${verb}`, { schema: z.unknown() });
      context.show({ name, drains: verb === 'drain' }, () => said(printable(name)));
    });
}
