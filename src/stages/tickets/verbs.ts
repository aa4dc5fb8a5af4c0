import type { Tx } from '../../db/database.ts';
import { Fault } from '../../kernel/fault.ts';
import { isFinal } from '../../kernel/machine.ts';
import { getProject } from '../../support/projects/index.ts';
import { announceCreated, takeTicketNumbers } from './build.ts';
import { checkNeeds, replaceNeeds } from './graph.ts';
import { editableStatuses, formatTicketId, ticketMachine, type TicketType } from './model/ticket.ts';
import { followTickets, moveTicket } from './moves.ts';
import {
  allDependants,
  clearAttempts,
  holdGraph,
  holdOpenTickets,
  insertTickets,
  openNeeds,
  type TicketRow,
  ticketById,
  ticketForUpdate,
  ticketsOnSession,
  updateTicketFields,
} from './tickets.sql.ts';

export interface TicketFields {
  readonly title: string;
  readonly description: string;
  readonly acceptanceCriteria: readonly string[];
  readonly dependsOn: readonly string[];
  readonly priority: number;
  readonly estimate: number | null;
  readonly files: readonly string[];
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
  const needs = [...new Set(wanted.dependsOn)];
  const found = await checkNeeds(tx, wanted.projectId, needs);
  const parent = wanted.parentId === undefined ? undefined : await epicOf(tx, wanted.parentId, wanted.projectId);
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
  await followTickets(tx, [ticket]);
  return getTicket(tx, ticket.id);
}

/** Changes fields of a ticket that no agent works on. New dependencies may block it or make it ready. */
export async function editTicket(
  tx: Tx,
  id: string,
  fields: { [K in keyof TicketFields]?: TicketFields[K] | undefined },
): Promise<TicketRow> {
  const needs = fields.dependsOn === undefined ? undefined : await holdNeeds(tx, id, fields.dependsOn);
  const before = await holdTicket(tx, id);
  refuseEdit(before);
  await tx.query(updateTicketFields, [
    tx.tenantId,
    id,
    fields.title ?? null,
    fields.description ?? null,
    fields.acceptanceCriteria === undefined ? null : JSON.stringify(fields.acceptanceCriteria),
    fields.priority ?? null,
    fields.estimate ?? null,
    fields.estimate !== undefined,
    fields.files ?? null,
  ]);
  tx.announce({
    type: 'ticket.changed',
    subject: { type: 'ticket', id },
    payload: { fields: Object.keys(fields), status: before.status },
  });
  if (needs !== undefined) {
    await replaceNeeds(tx, before, needs);
    if (before.status === 'ready' || before.status === 'blocked') await settle(tx, before);
  }
  return getTicket(tx, id);
}

/** Cancels a ticket; with `cascade` also what waits for it, which otherwise would wait for ever and so is refused. */
export async function cancelTicket(tx: Tx, id: string, how: { reason: string; cascade: boolean }): Promise<TicketRow[]> {
  await tx.query(holdGraph, [tx.tenantId]);
  refuseCancel(await holdTicket(tx, id));
  const dependants = (await tx.query(allDependants, [tx.tenantId, id])).map(row => row.id);
  if (dependants.length > 0 && !how.cascade) {
    throw new Fault('wrong_state', {
      message: `${dependants.join(', ')} wait for ${id} and could never run`,
      hint: 'Cancel them too with "cascade": true (skep ticket cancel --cascade), or change what they depend on',
      facts: { dependants },
    });
  }
  // All of them before the first move, which locks the epic.
  await tx.query(holdOpenTickets, [tx.tenantId, dependants]);
  const cancelled: TicketRow[] = [];
  for (const each of [id, ...dependants]) {
    const moved = await moveTicket(tx, { id: each, verb: 'cancel', reason: how.reason });
    if (moved !== undefined) cancelled.push(moved);
  }
  return cancelled;
}

/** Gives a failed ticket a new set of attempts; one that waits too, where the caller knows that it waits for no review. */
export async function retryTicket(
  tx: Tx,
  id: string,
  { alsoWaiting = false }: { readonly alsoWaiting?: boolean } = {},
): Promise<TicketRow> {
  const ticket = await holdTicket(tx, id);
  const isOver = ticket.status === 'failed' || (alsoWaiting && ticket.status === 'waiting');
  if (!isOver || ticket.type === 'epic') {
    throw new Fault('wrong_state', {
      message: `${id} is ${ticket.status}; only a failed ticket, or one that waits for an answer, can be retried`,
      facts: { currentStatus: ticket.status },
    });
  }
  await tx.query(clearAttempts, [tx.tenantId, id]);
  await settle(tx, ticket);
  return getTicket(tx, id);
}

/** Ends all tickets of a session that was cancelled, and what others made wait for them. Safe to run twice. */
export function cancelTicketsOf(tx: Tx, sessionId: string): Promise<void> {
  return endTicketsOf(tx, sessionId, { own: 'the session was cancelled', other: 'it waited for a session that was cancelled' });
}

/** Ends what is left of a session whose result was found, and what others made wait for it. Safe to run twice. */
export function stopTicketsOf(tx: Tx, sessionId: string): Promise<void> {
  return endTicketsOf(tx, sessionId, { own: 'a result was found', other: 'it waited for a ticket that a result made needless' });
}

async function endTicketsOf(tx: Tx, sessionId: string, reasons: { own: string; other: string }): Promise<void> {
  await tx.query(holdGraph, [tx.tenantId]);
  const ending = await tx.query(ticketsOnSession, [tx.tenantId, sessionId]);
  const open = await tx.query(holdOpenTickets, [tx.tenantId, ending.map(ticket => ticket.id)]);
  const ofSession = new Map(ending.map(ticket => [ticket.id, ticket.ofSession]));
  for (const { id } of open) {
    await moveTicket(tx, { id, verb: 'cancel', reason: ofSession.get(id) === true ? reasons.own : reasons.other });
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

/** Locks what a ticket is going to need before the ticket itself, as the completion of a need does. */
async function holdNeeds(tx: Tx, id: string, dependsOn: readonly string[]): Promise<string[]> {
  await tx.query(holdGraph, [tx.tenantId]);
  const { type, projectId } = await getTicket(tx, id);
  if (type === 'epic') throw new Fault('invalid_request', { message: 'depends_on: an epic has no dependencies of its own' });
  const needs = [...new Set(dependsOn)];
  await checkNeeds(tx, projectId, needs);
  return needs;
}

function refuseEdit({ id, type, status }: TicketRow): void {
  if (type === 'epic' || editableStatuses.includes(status)) return;
  throw new Fault('wrong_state', {
    message: `${id} is ${status}; it can be edited while it is ${editableStatuses.join(', ')}`,
    facts: { currentStatus: status },
  });
}

function refuseCancel({ id, type, status }: TicketRow): void {
  if (type === 'epic') {
    throw new Fault('wrong_state', {
      message: `${id} is an epic; its status follows its tickets`,
      hint: 'Cancel the session, or its tickets one by one',
    });
  }
  if (isFinal(ticketMachine, status))
    throw new Fault('wrong_state', { message: `${id} is ${status} already`, facts: { currentStatus: status } });
}

async function holdTicket(tx: Tx, id: string): Promise<TicketRow> {
  const [ticket] = await tx.query(ticketForUpdate, [tx.tenantId, id]);
  if (ticket === undefined) throw new Fault('ticket_not_found');
  return ticket;
}

async function epicOf(tx: Tx, id: string, projectId: string): Promise<TicketRow> {
  const parent = await holdTicket(tx, id);
  if (parent.type !== 'epic' || parent.projectId !== projectId) {
    throw new Fault('invalid_request', { message: `parent_id: ${id} is not an epic of this project` });
  }
  if (parent.status === 'cancelled' || parent.status === 'completed') {
    throw new Fault('wrong_state', { message: `parent_id: ${id} is ${parent.status} already` });
  }
  return parent;
}
