import type { EventType } from '../../../contract/events.ts';
import type { Proof } from '../../../contract/results.ts';
import type { Tx } from '../../db/database.ts';
import { move } from '../../kernel/machine.ts';
import { abandonSession } from '../sessions/index.ts';
import { epicStatus, leavesEpicRunning, ticketMachine, type TicketStatus, type TicketVerb } from './model/ticket.ts';
import {
  holdDependants,
  moveTicketRow,
  releaseTickets,
  setEpicStatus,
  statusesOfChildren,
  type TicketRow,
  ticketForUpdate,
} from './tickets.sql.ts';

const eventOf: Readonly<Partial<Record<TicketStatus, EventType>>> = {
  ready: 'ticket.ready',
  blocked: 'ticket.blocked',
  running: 'ticket.running',
  verifying: 'ticket.verifying',
  merging: 'ticket.merging',
  waiting: 'ticket.waiting',
  completed: 'ticket.completed',
  failed: 'ticket.failed',
  cancelled: 'ticket.cancelled',
};

/** An epic is no work of its own: what follows from its status is another matter. */
const epicEventOf: Readonly<Partial<Record<TicketStatus, EventType>>> = {
  running: 'epic.running',
  completed: 'epic.completed',
  failed: 'epic.failed',
  cancelled: 'epic.cancelled',
};

export interface TicketStep {
  readonly id: string;
  readonly verb: TicketVerb;
  readonly reason?: string;
  readonly proof?: Proof;
  /** Beside the status, for the event. */
  readonly payload?: Readonly<Record<string, unknown>>;
}

/**
 * Applies a verb of the machine with its event; undefined where the present status does not allow it. What waited for a completed
 * ticket alone becomes ready, and then the epics follow: tickets are locked before epics everywhere.
 */
export async function moveTicket(tx: Tx, { id, verb, reason, proof, payload }: TicketStep): Promise<TicketRow | undefined> {
  const { to, from } = move(ticketMachine, verb);
  const [ticket] = await tx.query(moveTicketRow, [tx.tenantId, id, to, from, reason ?? null, proof ?? null]);
  if (ticket === undefined) return undefined;
  announceTicket(tx, ticket, { ...payload, ...(reason === undefined ? {} : { reason }) });
  const released = to === 'completed' ? await releaseDependants(tx, id) : [];
  if (!leavesEpicRunning({ from, to })) await followTickets(tx, [ticket, ...released]);
  return ticket;
}

/** Brings the epics of these tickets to the status that their tickets now give them. */
export async function followTickets(tx: Tx, tickets: readonly Pick<TicketRow, 'parentId'>[]): Promise<void> {
  const epics = new Set(tickets.map(ticket => ticket.parentId).filter(id => id !== null));
  for (const id of [...epics].sort()) await followChildren(tx, id);
}

async function releaseDependants(tx: Tx, id: string): Promise<readonly Pick<TicketRow, 'id' | 'parentId'>[]> {
  const waiting = await tx.query(holdDependants, [tx.tenantId, id]);
  if (waiting.length === 0) return [];
  const released = await tx.query(releaseTickets, [tx.tenantId, waiting.map(ticket => ticket.id)]);
  for (const ticket of released)
    tx.announce({ type: 'ticket.ready', subject: { type: 'ticket', id: ticket.id }, payload: { status: 'ready', after: id } });
  return released;
}

function announceTicket(tx: Tx, ticket: TicketRow, payload: Readonly<Record<string, unknown>> = {}): void {
  const type = (ticket.type === 'epic' ? epicEventOf : eventOf)[ticket.status];
  if (type !== undefined)
    tx.announce({ type, subject: { type: 'ticket', id: ticket.id }, payload: { status: ticket.status, ...payload } });
}

async function followChildren(tx: Tx, parentId: string): Promise<void> {
  // The lock comes first: of two children that end at once, the second then counts the first.
  const [epic] = await tx.query(ticketForUpdate, [tx.tenantId, parentId]);
  if (epic?.type !== 'epic') return;
  const found = await tx.query(statusesOfChildren, [tx.tenantId, parentId, Object.keys(ticketMachine)]);
  const status = epicStatus(new Set(found.map(row => row.status)));
  if (status === epic.status) return;
  await tx.query(setEpicStatus, [tx.tenantId, parentId, status]);
  announceTicket(tx, { ...epic, status });
  if (status === 'cancelled' && epic.sessionId !== null) await abandonSession(tx, epic.sessionId);
}
