import type { Command } from 'commander';
import { workerList as schema } from '../../../contract/fleet/workers.ts';
import type { WireWorker } from '../../../contract/fleet/workers.ts';
import { remoteCommand } from '../command.ts';
import { connect } from '../context.ts';
import type { RemoteOptions, World } from '../context.ts';
import { onePage, printList } from '../output/list.ts';
import { painted } from '../output/text.ts';

export function workerList(world: World): Command {
  return remoteCommand({
    name: 'list',
    description: 'List the workers of the last day',
    examples: ['skep worker list'],
  }).action(async (options: RemoteOptions) => {
    const context = await connect(world, options);
    await printList(context, {
      pages: onePage(context.client.request('GET', '/api/workers', { schema }).then(({ workers }) => workers)),
      columns: [
        { title: 'NAME', value: worker => worker.name, max: 40 },
        { title: 'STATE', value: stateText, paint: text => painted(context.out, text) },
        { title: 'BUSY', value: worker => `${worker.busy}/${worker.slots}` },
        { title: 'HOST', value: worker => worker.host, max: 40 },
        { title: 'VERSION', value: worker => worker.version, max: 20 },
        { title: 'HEARD OF', value: worker => worker.beat_at.slice(0, 19) },
        { title: 'OFFERS', value: worker => worker.capabilities.join(' ') },
      ],
      none: "There are no workers. Start one: 'skep worker', or 'skep start' with the server",
    });
  });
}

/** One that was told, and has not heard it yet, says so. */
function stateText({ state, is_told_to_drain }: WireWorker): string {
  return is_told_to_drain && state === 'active' ? 'active, told to drain' : state;
}
