import type { Proof } from '../../../contract/results.ts';
import type { Tx } from '../../db/database.ts';
import { moveTicket } from './moves.ts';
import { coarse } from './model/coarse.ts';
import {
  assignWork,
  explainTicketRow,
  forgetAttempt,
  observeTicketRow,
  ticketForShare,
  ticketForUpdate,
  type TicketRow,
} from './tickets.sql.ts';

/** The ticket as it is and stays until the transaction ends; undefined when there is none. */
export async function keepTicket(tx: Tx, id: string): Promise<TicketRow | undefined> {
  const [ticket] = await tx.query(ticketForShare, [tx.tenantId, id]);
  return ticket;
}

/** The same for whoever may change it, and takes what is locked after tickets before he knows. */
export async function holdTicket(tx: Tx, id: string): Promise<void> {
  await tx.query(ticketForUpdate, [tx.tenantId, id]);
}

// What runs, reviews and changes make of a ticket. Each is undefined where the ticket's status does not allow it: it was cancelled, say.

export async function ticketStarted(tx: Tx, id: string, sandbox: string | undefined): Promise<TicketRow | undefined> {
  await tx.query(assignWork, [tx.tenantId, id, sandbox ?? null, null]);
  return moveTicket(tx, { id, verb: 'run', ...(sandbox === undefined ? {} : { payload: { sandbox } }) });
}

export async function ticketSubmitted(tx: Tx, id: string, branch: string | undefined): Promise<TicketRow | undefined> {
  await tx.query(assignWork, [tx.tenantId, id, null, branch ?? null]);
  return moveTicket(tx, { id, verb: 'verify' });
}

/** What the work on it touched, so that the next attempt is kept apart from others that touch the same. */
export async function observeTicket(tx: Tx, id: string, paths: readonly string[]): Promise<void> {
  await tx.query(observeTicketRow, [tx.tenantId, id, coarse(paths)]);
}

/** Its work is on the way into the trunk. */
export function mergeTicket(tx: Tx, id: string): Promise<TicketRow | undefined> {
  return moveTicket(tx, { id, verb: 'merge' });
}

/** A person must decide before it can go on. */
export function ticketWaits(tx: Tx, id: string, reason: string): Promise<TicketRow | undefined> {
  return moveTicket(tx, { id, verb: 'wait', reason });
}

/** It waits on, for something else. */
export async function ticketWaitsOn(tx: Tx, id: string, reason: string): Promise<void> {
  const [ticket] = await tx.query(explainTicketRow, [tx.tenantId, id, reason]);
  if (ticket === undefined) return;
  const payload = { fields: ['status_reason'], status: ticket.status };
  tx.announce({ type: 'ticket.changed', subject: { type: 'ticket', id }, payload });
}

/** Completes a ticket and makes ready what waited for it alone. */
export function completeTicket(tx: Tx, id: string, proof: Proof): Promise<TicketRow | undefined> {
  return moveTicket(tx, { id, verb: 'complete', proof, payload: { proof } });
}

/** The attempt is over and the ticket waits for the next one. */
export function sendTicketBack(tx: Tx, id: string, reason: string): Promise<TicketRow | undefined> {
  return moveTicket(tx, { id, verb: 'ready', reason });
}

/** A claim that reached nobody was no attempt. */
export async function unclaimTicket(tx: Tx, id: string): Promise<TicketRow | undefined> {
  await tx.query(forgetAttempt, [tx.tenantId, id]);
  return moveTicket(tx, { id, verb: 'ready', reason: 'the claim reached nobody' });
}

export function failTicket(tx: Tx, id: string, reason: string): Promise<TicketRow | undefined> {
  return moveTicket(tx, { id, verb: 'fail', reason });
}
