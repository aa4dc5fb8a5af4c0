import type { Tx } from '../../db/database.ts';
import { Fault } from '../../kernel/fault.ts';
import { chainLengths, findCycle, type GraphNode } from '../../kernel/graph.ts';
import { deleteDependencies, insertDependencies, needsForShare, openGraph, setChains, type TicketRow } from './tickets.sql.ts';

/** Holds the needs as they are. Throws unless every id exists, belongs to the project, and can be waited for. */
export async function checkNeeds(tx: Tx, projectId: string, needs: readonly string[]): Promise<TicketRow[]> {
  const found = await tx.query(needsForShare, [tx.tenantId, needs]);
  const known = new Map(found.map(ticket => [ticket.id, ticket]));
  for (const id of needs) {
    const ticket = known.get(id);
    if (ticket === undefined)
      throw new Fault('unknown_dependency', { message: `depends_on: there is no ticket ${id}`, facts: { ticket_id: id } });
    const why = whyNotNeeded(ticket, projectId);
    if (why !== undefined)
      throw new Fault('unknown_dependency', { message: `depends_on: ${id} ${why}`, facts: { ticket_id: id } });
  }
  return found;
}

/** Replaces what a ticket needs. The caller holds the graph; a cycle is refused with its path. */
export async function replaceNeeds(tx: Tx, ticket: Pick<TicketRow, 'id' | 'projectId'>, needs: readonly string[]): Promise<void> {
  const graph = await tx.query(openGraph, [tx.tenantId, ticket.projectId]);
  const changed = graph.map(node => (node.id === ticket.id ? { ...node, needs: [...needs] } : node));
  // From the ticket, through which it must go: so it is told from where it was closed.
  const cycle = findCycle(changed.toSorted((a, b) => Number(b.id === ticket.id) - Number(a.id === ticket.id)));
  if (cycle !== undefined) {
    throw new Fault('dependency_cycle', {
      message: `depends_on: the dependencies form a cycle: ${cycle.join(' → ')}`,
      facts: { cycle },
    });
  }
  await tx.query(deleteDependencies, [tx.tenantId, ticket.id]);
  await storeNeeds(tx, [{ id: ticket.id, needs }]);
  const lengths = chainLengths(changed);
  const moved = changed
    .filter(node => lengths.get(node.id) !== node.chain)
    .map(({ id }) => ({ id, chain: lengths.get(id) ?? 0 }));
  if (moved.length > 0) await tx.query(setChains, [tx.tenantId, JSON.stringify(moved)]);
}

export async function storeNeeds(tx: Tx, nodes: readonly GraphNode[]): Promise<void> {
  const pairs = nodes.flatMap(({ id, needs }) => needs.map(need => ({ id, need })));
  if (pairs.length > 0) await tx.query(insertDependencies, [tx.tenantId, JSON.stringify(pairs)]);
}

function whyNotNeeded(ticket: TicketRow, projectId: string): string | undefined {
  if (ticket.projectId !== projectId) return 'belongs to another project';
  if (ticket.type === 'epic') return 'is an epic; depend on its tickets';
  if (ticket.status === 'cancelled') return 'is cancelled and will never be completed';
  return undefined;
}
