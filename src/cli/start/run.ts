import type { Command } from 'commander';
import { localCommand, whole } from '../command.ts';
import type { World } from '../context.ts';
import { withServerOptions } from '../server/run.ts';
import { serve } from '../server/serve.ts';
import type { ServeOptions } from '../server/serve.ts';
import { asJson, asLine } from '../worker/lines.ts';
import { prepareWorker } from './worker-beside.ts';

export function startCommand(world: World): Command {
  const command = localCommand({
    name: 'start',
    description: 'Run the server and one worker on this machine. Ctrl-C lets what runs end; a second one hands it back',
    examples: ['skep start', 'skep start --port 9000 --home ./data --slots 4'],
  });
  return withServerOptions(command)
    .option('--slots <number>', 'runs at once; default: SKEP_WORKER_SLOTS or 2', whole(1, 100))
    .action(async (options: ServeOptions) => {
      const say = options.json === true ? asJson : asLine;
      await serve(world, options, settings =>
        prepareWorker(settings, { clock: world.clock, onChange: change => world.out.write(`${say(change)}\n`) }),
      );
    });
}
