import type { Command } from 'commander';
import { z } from 'zod';
import { brake, type WireBrake } from '../../../contract/fleet/brake.ts';
import { ticketStatuses } from '../../../contract/tickets.ts';
import { isFault } from '../../kernel/fault.ts';
import { remoteCommand } from '../command.ts';
import { connect } from '../context.ts';
import type { Context, RemoteOptions, World } from '../context.ts';
import { fields } from '../output/table.ts';
import { painted, styled } from '../output/text.ts';
import { tickets } from '../ticket/find.ts';

const health = z.looseObject({ status: z.string() });

export function statusCommand(world: World): Command {
  return remoteCommand({
    name: 'status',
    description: 'One look: health, readiness, the brake where it is on, tickets by state',
    examples: ['skep status'],
  }).action(async (options: RemoteOptions) => {
    const context = await connect(world, options, { mayStart: false });
    const { status } = await context.client.request('GET', '/health', { schema: health });
    const readiness = await ready(context);
    const held = await brakeNow(context);
    const counts = await countByStatus(context);
    context.show({ server: context.server, health: status, ready: readiness, brake: held ?? null, tickets: counts }, () =>
      fields([
        ['server', context.server],
        ['health', status],
        ['ready', readiness],
        ['brake', brakeText(held), text => styled(context.out, held?.state === 'on' ? 'red' : 'yellow', text)],
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

/** Undefined where the server is older than the brake. */
async function brakeNow({ client }: Context): Promise<WireBrake | undefined> {
  try {
    return await client.request('GET', '/api/brake', { schema: brake });
  } catch (error) {
    if (isFault(error, 'route_not_found')) return undefined;
    throw error;
  }
}

function brakeText(now: WireBrake | undefined): string | null {
  if (now === undefined || now.state === 'off') return null;
  if (now.state === 'trying') return `eased: one run at a time, until one is handed in; it was on: ${now.reason}`;
  const until = now.due_at === null ? 'until you lift it' : `tried again at ${now.due_at}`;
  return `on: nothing is claimed, ${until} (skep brake lift): ${now.reason}`;
}

/** In the order of a ticket's life; only states that occur. */
async function countByStatus(context: Context): Promise<Record<string, number>> {
  const counts = new Map<string, number>();
  for await (const rows of tickets(context, {})) for (const { status } of rows) counts.set(status, (counts.get(status) ?? 0) + 1);
  return Object.fromEntries(ticketStatuses.flatMap(status => (counts.has(status) ? [[status, counts.get(status) ?? 0]] : [])));
}
