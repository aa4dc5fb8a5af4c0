import type { Command } from 'commander';
import { z } from 'zod';
import { ticketStatuses } from '../../../contract/tickets.ts';
import { isFault } from '../../kernel/fault.ts';
import { remoteCommand } from '../command.ts';
import { connect } from '../context.ts';
import type { Context, RemoteOptions, World } from '../context.ts';
import { fields } from '../output/table.ts';
import { painted } from '../output/text.ts';
import { tickets } from '../ticket/find.ts';

const health = z.looseObject({ status: z.string() });

export function statusCommand(world: World): Command {
  return remoteCommand({
    name: 'status',
    description: 'One look: health, readiness, tickets by state',
    examples: ['skep status'],
  }).action(async (options: RemoteOptions) => {
    const context = await connect(world, options, { mayStart: false });
    const { status } = await context.client.request('GET', '/health', { schema: health });
    const readiness = await ready(context);
    const counts = await countByStatus(context);
    context.show({ server: context.server, health: status, ready: readiness, tickets: counts }, () =>
      fields([
        ['server', context.server],
        ['health', status],
        ['ready', readiness],
        ...Object.entries(counts).map(
          ([state, count]) => [state, count, (text: string) => painted(context.out, state, text)] as const,
        ),
        ['tickets', Object.keys(counts).length === 0 ? 'none yet' : null],
      ]),
    );
  });
}

async function ready({ client }: Context): Promise<string> {
  try {
    return (await client.request('GET', '/ready', { schema: health })).status;
  } catch (error) {
    if (isFault(error)) return `no: ${error.message}`;
    throw error;
  }
}

/** In the order of a ticket's life; only states that occur. */
async function countByStatus(context: Context): Promise<Record<string, number>> {
  const counts = new Map<string, number>();
  for await (const rows of tickets(context, {})) for (const { status } of rows) counts.set(status, (counts.get(status) ?? 0) + 1);
  return Object.fromEntries(ticketStatuses.flatMap(status => (counts.has(status) ? [[status, counts.get(status) ?? 0]] : [])));
}
