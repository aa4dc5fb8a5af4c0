import type { Command } from 'commander';
import { ticket } from '../../../contract/tickets.ts';
import { remoteCommand } from '../command.ts';
import { connect } from '../context.ts';
import type { RemoteOptions, World } from '../context.ts';
import { ticketId } from '../input/id.ts';
import { findTicket, ticketText } from './find.ts';

export function ticketShow(world: World): Command {
  return remoteCommand({
    name: 'show',
    description: 'Show a ticket',
    examples: ['skep ticket show TKT-001', 'skep ticket show 1'],
  })
    .argument('<id>', 'the ticket; 1 is TKT-001')
    .action(async (id: string, options: RemoteOptions) => {
      const context = await connect(world, options);
      const found = await findTicket(context, id);
      context.show(found, () => ticketText(context, found));
    });
}

export function ticketRetry(world: World): Command {
  return remoteCommand({ name: 'retry', description: 'Try a failed ticket again', examples: ['skep ticket retry TKT-001'] })
    .argument('<id>', 'the ticket; 1 is TKT-001')
    .action(async (id: string, options: RemoteOptions) => {
      const context = await connect(world, options);
      const path = `/api/tickets/${ticketId(id)}/retry`;
      const now = await context.client.request('POST', path, { body: {}, schema: ticket });
      context.show(now, () => ticketText(context, now));
    });
}
