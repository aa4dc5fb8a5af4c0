import type { Tx } from '../../../db/database.ts';
import { move } from '../../../kernel/machine.ts';
import { expireQuestion, pendingAsks } from '../../../support/questions/index.ts';
import { retryTicket, type TicketRow } from '../../tickets/index.ts';
import { announceRun } from '../holder.ts';
import { runMachine } from '../model/run.ts';
import { endRunRow, type RunRow } from '../runs.sql.ts';
import { haltOfTicket, idleQuestion, idleQuestions, parkedOfReadyTicket, retryRunRow } from './parking.sql.ts';

export interface Retry {
  /** Without the work and the conversation of any attempt before. */
  readonly anew?: boolean;
}

/**
 * Gives a ticket a new set of attempts that has failed, or whose run hangs on a question: that one is given up, with its work. What a
 * person has cancelled is gone on with, unless it is to begin anew.
 */
export async function retryWork(tx: Tx, ticketId: string, { anew = false }: Retry = {}): Promise<TicketRow> {
  const [last] = await tx.query(haltOfTicket, [tx.tenantId, ticketId]);
  const [run] = await tx.query(retryRunRow, [tx.tenantId, ticketId, anew ? 'anew' : 'go_on']);
  const ticket = await retryTicket(tx, ticketId, { alsoWaiting: last?.isHalted === true });
  if (run !== undefined) announceRun(tx, run, { type: 'run.retried', anew });
  return ticket;
}

/** A ticket that is ready goes on without what is parked for it. */
export async function endParked(tx: Tx, ticketId: string): Promise<void> {
  const { to, from } = move(runMachine, 'cancel');
  for (const { id } of await tx.query(parkedOfReadyTicket, [tx.tenantId, ticketId])) {
    const [run] = await tx.query(endRunRow, [tx.tenantId, id, to, from]);
    if (run === undefined) continue;
    announceRun(tx, run, { type: 'run.cancelled', why: 'its ticket is tried anew' });
  }
  await closeQuestions(tx, ticketId);
}

/** Ends what agents have asked about a ticket that is begun anew, however the run that asked has ended. */
export async function closeAsks(tx: Tx, ticketId: string): Promise<void> {
  for (const { id } of await pendingAsks(tx, { type: 'ticket', id: ticketId })) await expireQuestion(tx, id);
}

/** Ends the questions about a ticket's runs on whose answer nothing hangs any more. */
export async function closeQuestions(tx: Tx, ticketId: string): Promise<void> {
  for (const { id } of await tx.query(idleQuestions, [tx.tenantId, ticketId])) await expireQuestion(tx, id);
}

/** The same for the question of one run that has ended, and that no ticket asked for. */
export async function closeQuestionOf(tx: Tx, { halt }: Pick<RunRow, 'halt'>): Promise<void> {
  if (halt?.questionId === undefined) return;
  for (const { id } of await tx.query(idleQuestion, [tx.tenantId, halt.questionId])) await expireQuestion(tx, id);
}
