import type { Command } from 'commander';
import { ticket } from '../../../contract/tickets.ts';
import type { WireTicket } from '../../../contract/tickets.ts';
import { trunk as trunkSchema, trunkList } from '../../../contract/trunks.ts';
import type { WireTrunk } from '../../../contract/trunks.ts';
import { remoteCommand } from '../command.ts';
import { connect } from '../context.ts';
import type { Context, RemoteOptions, World } from '../context.ts';
import { ticketId } from '../input/id.ts';
import { printable } from '../output/text.ts';
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
      const trunk = await refusedTrunk(context, found);
      context.show(found, () => ticketText(context, found) + refusalText(found, trunk));
    });
}

/** The branch that a ticket's work would be merged into, where Skep could not make it: nothing works on the ticket until it can. */
async function refusedTrunk({ client }: Context, it: WireTicket): Promise<WireTrunk | undefined> {
  if (it.status !== 'ready') return undefined;
  const query = { project_id: it.project_id, ...(it.spec_id === null ? {} : { spec_id: it.spec_id }) };
  const { trunks } = await client.request('GET', '/api/trunks', { query, schema: trunkList });
  return trunks.find(trunk => trunk.spec_id === it.spec_id && trunk.state === 'refused');
}

function refusalText({ id }: WireTicket, trunk: WireTrunk | undefined): string {
  if (trunk === undefined) return '';
  const hint = trunk.hint === null ? '' : `\n  hint: ${printable(trunk.hint)}`;
  return `\nIts branch ${printable(trunk.branch)} could not be made: ${printable(trunk.reason ?? '')}${hint}\nnext  skep ticket retry ${id}`;
}

export function ticketRetry(world: World): Command {
  return remoteCommand({
    name: 'retry',
    description: 'Try a failed ticket again, or to make the branch of one',
    examples: ['skep ticket retry TKT-001', 'skep ticket retry TKT-001 --anew'],
  })
    .argument('<id>', 'the ticket; 1 is TKT-001')
    .option('--anew', 'begin without the work and the conversation of the attempts before')
    .action(async (id: string, options: RemoteOptions & { anew?: boolean }) => {
      const context = await connect(world, options);
      const found = await findTicket(context, id);
      const trunk = await refusedTrunk(context, found);
      if (trunk !== undefined) {
        await context.client.request('POST', `/api/trunks/${trunk.id}/prepare`, { body: {}, schema: trunkSchema });
        return context.show(
          found,
          () => `${ticketText(context, found)}\nIts branch ${printable(trunk.branch)} is being made again`,
        );
      }
      const path = `/api/tickets/${ticketId(id)}/retry`;
      const now = await context.client.request('POST', path, { body: { anew: options.anew === true }, schema: ticket });
      context.show(now, () => ticketText(context, now));
    });
}
