import type { Tx } from '../../db/database.ts';
import { Fault } from '../../kernel/fault.ts';
import { getProject } from '../../support/projects/index.ts';
import { announceCreated, takeTicketNumbers } from './build.ts';
import { checkNeeds, replaceNeeds } from './graph.ts';
import { editableStatuses, formatTicketId, type TicketType } from './model/ticket.ts';
import { moveTicket } from './moves.ts';
import {
  allDependants,
  clearAttempts,
  holdGraph,
  insertTickets,
  openNeeds,
  openTicketsOfSession,
  type TicketRow,
  ticketById,
  ticketForUpdate,
  updateTicketFields,
} from './tickets.sql.ts';

export interface TicketFields {
  readonly title: string;
  readonly description: string;
  readonly acceptanceCriteria: readonly string[];
  readonly dependsOn: readonly string[];
  readonly priority: number;
  readonly estimate: number | null;
}

export interface NewTicket extends TicketFields {
  readonly projectId: string;
  readonly type: Exclude<TicketType, 'epic'>;
  readonly parentId?: string | undefined;
}

/** Adds a ticket by hand: ready at once, or blocked by what it depends on. */
export async function openTicket(tx: Tx, wanted: NewTicket): Promise<TicketRow> {
  await getProject(tx, wanted.projectId);
  const number = (await takeTicketNumbers(tx, 1)) + 1;
  const parent = wanted.parentId === undefined ? undefined : await epicOf(tx, wanted.parentId, wanted.projectId);
  const needs = [...new Set(wanted.dependsOn)];
  const found = await checkNeeds(tx, wanted.projectId, needs);
  const ticket = {
    ...wanted,
    id: formatTicketId(number),
    number,
    status: found.every(need => need.status === 'completed') ? ('ready' as const) : ('blocked' as const),
    parentId: parent?.id ?? null,
    needs,
    chain: 0,
  };
  const place = [tx.tenantId, parent?.sessionId ?? null, parent?.specId ?? null, wanted.projectId] as const;
  await tx.query(insertTickets, [...place, JSON.stringify([ticket])]);
  if (needs.length > 0) await replaceNeeds(tx, ticket, needs);
  announceCreated(tx, ticket);
  return getTicket(tx, ticket.id);
}

/** Changes fields of a ticket that no agent works on. New dependencies may block it or make it ready. */
export async function editTicket(
  tx: Tx,
  id: string,
  fields: { [K in keyof TicketFields]?: TicketFields[K] | undefined },
): Promise<TicketRow> {
  if (fields.dependsOn !== undefined) await tx.query(holdGraph, [tx.tenantId]);
  const before = await holdTicket(tx, id);
  if (before.type === 'epic' && fields.dependsOn !== undefined)
    throw new Fault('invalid_request', { message: 'depends_on: an epic has no dependencies of its own' });
  if (before.type !== 'epic' && !editableStatuses.includes(before.status)) {
    throw new Fault('wrong_state', {
      message: `${id} is ${before.status}; it can be edited while it is ${editableStatuses.join(', ')}`,
      facts: { currentStatus: before.status },
    });
  }
  await tx.query(updateTicketFields, [
    tx.tenantId,
    id,
    fields.title ?? null,
    fields.description ?? null,
    fields.acceptanceCriteria === undefined ? null : JSON.stringify(fields.acceptanceCriteria),
    fields.priority ?? null,
    fields.estimate ?? null,
    fields.estimate !== undefined,
  ]);
  tx.announce({
    type: 'ticket.changed',
    subject: { type: 'ticket', id },
    payload: { fields: Object.keys(fields), status: before.status },
  });
  if (fields.dependsOn !== undefined) {
    const needs = [...new Set(fields.dependsOn)];
    await checkNeeds(tx, before.projectId, needs);
    await replaceNeeds(tx, before, needs);
    if (before.status === 'ready' || before.status === 'blocked') await settle(tx, before);
  }
  return getTicket(tx, id);
}

/** Cancels a ticket; with `cascade` also what waits for it, which otherwise would wait for ever and so is refused. */
export async function cancelTicket(tx: Tx, id: string, how: { reason: string; cascade: boolean }): Promise<TicketRow[]> {
  await tx.query(holdGraph, [tx.tenantId]);
  const ticket = await holdTicket(tx, id);
  if (ticket.type === 'epic') {
    throw new Fault('wrong_state', {
      message: `${id} is an epic; its status follows its tickets`,
      hint: 'Cancel the session, or its tickets one by one',
    });
  }
  const dependants = (await tx.query(allDependants, [tx.tenantId, id])).map(row => row.id);
  if (dependants.length > 0 && !how.cascade) {
    throw new Fault('wrong_state', {
      message: `${dependants.join(', ')} wait for ${id} and could never run`,
      hint: 'Cancel them too with "cascade": true (skep ticket cancel --cascade), or change what they depend on',
      facts: { dependants },
    });
  }
  const cancelled: TicketRow[] = [];
  for (const each of [id, ...dependants]) {
    const moved = await moveTicket(tx, { id: each, verb: 'cancel', reason: how.reason });
    if (moved !== undefined) cancelled.push(moved);
  }
  if (cancelled.length === 0)
    throw new Fault('wrong_state', { message: `${id} is ${ticket.status} already`, facts: { currentStatus: ticket.status } });
  return cancelled;
}

/** Gives a failed ticket a new set of attempts. */
export async function retryTicket(tx: Tx, id: string): Promise<TicketRow> {
  const ticket = await holdTicket(tx, id);
  if (ticket.status !== 'failed' || ticket.type === 'epic') {
    throw new Fault('wrong_state', {
      message: `${id} is ${ticket.status}; only a failed ticket can be retried`,
      facts: { currentStatus: ticket.status },
    });
  }
  await tx.query(clearAttempts, [tx.tenantId, id]);
  await settle(tx, ticket);
  return getTicket(tx, id);
}

/** Ends all tickets of a session that was cancelled. Safe to run twice. */
export async function cancelTicketsOf(tx: Tx, sessionId: string): Promise<void> {
  await tx.query(holdGraph, [tx.tenantId]);
  for (const { id } of await tx.query(openTicketsOfSession, [tx.tenantId, sessionId])) {
    await moveTicket(tx, { id, verb: 'cancel', reason: 'the session was cancelled' });
  }
}

export async function getTicket(tx: Tx, id: string): Promise<TicketRow> {
  const [ticket] = await tx.query(ticketById, [tx.tenantId, id]);
  if (ticket === undefined) throw new Fault('ticket_not_found');
  return ticket;
}

/** Ready, or blocked and by what, as its dependencies now stand. */
async function settle(tx: Tx, ticket: TicketRow): Promise<void> {
  const open = await tx.query(openNeeds, [tx.tenantId, ticket.id]);
  if (open.length === 0) {
    if (ticket.status !== 'ready') await moveTicket(tx, { id: ticket.id, verb: 'ready' });
  } else if (ticket.status !== 'blocked') {
    await moveTicket(tx, { id: ticket.id, verb: 'block', payload: { waitsFor: open.map(need => need.id) } });
  }
}

async function holdTicket(tx: Tx, id: string): Promise<TicketRow> {
  const [ticket] = await tx.query(ticketForUpdate, [tx.tenantId, id]);
  if (ticket === undefined) throw new Fault('ticket_not_found');
  return ticket;
}

async function epicOf(tx: Tx, id: string, projectId: string): Promise<TicketRow> {
  const parent = await getTicket(tx, id);
  if (parent.type !== 'epic' || parent.projectId !== projectId) {
    throw new Fault('invalid_request', { message: `parent_id: ${id} is not an epic of this project` });
  }
  if (parent.status === 'cancelled' || parent.status === 'completed') {
    throw new Fault('wrong_state', { message: `parent_id: ${id} is ${parent.status} already` });
  }
  return parent;
}
