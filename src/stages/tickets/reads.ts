import type { Tx } from '../../db/database.ts';
import { longestChain } from '../../kernel/graph.ts';
import { getSpec } from '../specs/index.ts';
import type { TicketStatus, TicketType } from './model/ticket.ts';
import { epicsOfSessions, type TicketRow, ticketsFiltered } from './tickets.sql.ts';

export interface TicketFilter {
  readonly status?: TicketStatus | undefined;
  readonly type?: TicketType | undefined;
  readonly projectId?: string | undefined;
  readonly sessionId?: string | undefined;
  readonly specId?: string | undefined;
  readonly parentId?: string | undefined;
}

/** Tickets in the order in which they were made, after the number `after`, at most `limit`. */
export function listTickets(tx: Tx, filter: TicketFilter, page: { after: number; limit: number }): Promise<TicketRow[]> {
  return tx.query(ticketsFiltered, [
    tx.tenantId,
    page.after,
    page.limit,
    filter.status ?? null,
    filter.type ?? null,
    filter.projectId ?? null,
    filter.sessionId ?? null,
    filter.specId ?? null,
    filter.parentId ?? null,
  ]);
}

export interface TicketGraph {
  readonly nodes: readonly TicketRow[];
  readonly edges: readonly { ticketId: string; dependsOn: string }[];
  readonly ready: readonly string[];
  readonly criticalPath: readonly string[];
}

/** More than the largest card gives, with room for tickets added by hand. */
const graphNodesMax = 10_000;

export async function readGraph(tx: Tx, specId: string): Promise<TicketGraph> {
  await getSpec(tx, specId);
  const nodes = await listTickets(tx, { specId }, { after: 0, limit: graphNodesMax });
  const open = nodes.filter(({ type, status }) => type !== 'epic' && status !== 'completed' && status !== 'cancelled');
  return {
    nodes,
    edges: nodes.flatMap(({ id, dependsOn }) => dependsOn.map(need => ({ ticketId: id, dependsOn: need }))),
    ready: nodes.filter(({ status }) => status === 'ready').map(({ id }) => id),
    criticalPath: longestChain(open.map(({ id, dependsOn }) => ({ id, needs: dependsOn }))),
  };
}

/** The epic of each session that has one. */
export async function epicsOf(tx: Tx, sessionIds: readonly string[]): Promise<Map<string, string>> {
  const rows = await tx.query(epicsOfSessions, [tx.tenantId, sessionIds]);
  return new Map(rows.map(row => [row.sessionId, row.id]));
}
