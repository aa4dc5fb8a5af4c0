import type { Tx } from '../../db/database.ts';
import { failpoint } from '../../kernel/failpoint.ts';
import { Fault } from '../../kernel/fault.ts';
import { beginBuilding, holdSession, type SessionRow } from '../sessions/index.ts';
import { beginExecution, cardOf, getSpecOfSession, type SpecRow } from '../specs/index.ts';
import { storeNeeds } from './graph.ts';
import { type PlannedTicket, planTickets } from './model/plan.ts';
import { epicOfSession, insertTickets, takeNumbers } from './tickets.sql.ts';

export interface Build {
  readonly epicId: string;
  readonly ticketCount: number;
}

/**
 * Begins to build an approved session: its spec is executed and its tickets are made. Called again it answers the same and builds
 * nothing. Throws Fault `session_not_found`, `session_not_approved`.
 */
export async function startBuild(tx: Tx, sessionId: string): Promise<Build> {
  const session = await holdSession(tx, sessionId);
  const [built] = await tx.query(epicOfSession, [tx.tenantId, sessionId]);
  if (built !== undefined && (session.state === 'building' || session.state === 'completed')) {
    return { epicId: built.id, ticketCount: built.ticketCount };
  }
  if (session.state !== 'approved') throw new Fault('session_not_approved', { facts: { currentState: session.state } });
  const spec = await getSpecOfSession(tx, sessionId);
  await beginBuilding(tx, sessionId);
  await beginExecution(tx, spec);
  const { epicId, count } = await generateTickets(tx, session, spec);
  failpoint('build-started');
  return { epicId, ticketCount: count };
}

/** One epic and one ticket for each feature of the card, with parent and dependencies set; the numbers go on per tenant. */
async function generateTickets(
  tx: Tx,
  session: SessionRow,
  spec: SpecRow,
): Promise<{ epicId: string; ticketIds: string[]; count: number }> {
  const card = cardOf(spec);
  const { epic, tickets } = planTickets(card, await takeTicketNumbers(tx, card.features.length + 1));
  const rows = JSON.stringify([epic, ...tickets]);
  await tx.query(insertTickets, [tx.tenantId, session.id, spec.id, session.projectId, rows]);
  await storeNeeds(tx, tickets);
  const ticketIds = tickets.map(ticket => ticket.id);
  tx.announce({
    type: 'tickets.generated',
    subject: { type: 'session', id: session.id },
    payload: { specId: spec.id, epicId: epic.id, ticketIds, count: ticketIds.length },
  });
  for (const ticket of [epic, ...tickets]) announceCreated(tx, ticket);
  return { epicId: epic.id, ticketIds, count: ticketIds.length };
}

/** Takes `count` numbers of the tenant; returns the one before the first. */
export async function takeTicketNumbers(tx: Tx, count: number): Promise<number> {
  const [row] = await tx.query(takeNumbers, [tx.tenantId, count]);
  if (row === undefined) throw new Error('the tenant of this transaction does not exist');
  return row.ticketCount - count;
}

export function announceCreated(tx: Tx, { id, type, status, title, needs }: PlannedTicket): void {
  const subject = { type: 'ticket', id };
  tx.announce({ type: 'ticket.created', subject, payload: { type, status, title, dependsOn: needs } });
  if (status === 'ready') tx.announce({ type: 'ticket.ready', subject, payload: { status } });
}
