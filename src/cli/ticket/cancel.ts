import type { Command } from 'commander';
import { ticketsChanged } from '../../../contract/tickets.ts';
import { remoteCommand } from '../command.ts';
import { connect } from '../context.ts';
import type { RemoteOptions, World } from '../context.ts';
import { ticketId } from '../input/id.ts';
import { printable } from '../output/text.ts';

interface Options extends RemoteOptions {
  readonly reason?: string;
  readonly cascade?: boolean;
}

export function ticketCancel(world: World): Command {
  return remoteCommand({
    name: 'cancel',
    description: 'Cancel a ticket; its run is stopped',
    examples: ["skep ticket cancel TKT-001 --cascade --reason 'not wanted any more'"],
  })
    .argument('<id>', 'the ticket; 1 is TKT-001')
    .option('--reason <text>', 'why')
    .option('--cascade', 'cancel what depends on it too')
    .action(async (id: string, options: Options) => {
      const context = await connect(world, options);
      const changed = await context.client.request('POST', `/api/tickets/${ticketId(id)}/cancel`, {
        body: { reason: options.reason, cascade: options.cascade === true },
        schema: ticketsChanged,
      });
      context.show(changed, () =>
        changed.tickets.map(ticket => `cancelled  ${ticket.id}  ${printable(ticket.title)}`).join('\n'),
      );
    });
}
