import type { Tx } from '../../../db/database.ts';
import { Fault } from '../../../kernel/fault.ts';
import type { TicketRow } from '../../tickets/index.ts';
import type { RunRow } from '../runs.sql.ts';
import { getRun } from '../verbs.ts';
import { type Retry, retryWork } from './close.ts';
import { laterRun } from './parking.sql.ts';

/**
 * Gives the ticket of a run that was its last attempt a new set of attempts. Throws Fault `run_not_found`, and `wrong_state` with what
 * to do instead where the run is no attempt at a ticket, is not over, is not the last, or its ticket has neither failed nor waits.
 */
export async function retryRun(tx: Tx, runId: string, how?: Retry): Promise<TicketRow> {
  const run = await getRun(tx, runId);
  if (run.subjectType !== 'ticket') throw noAttempt(run);
  const [later] = await tx.query(laterRun, [tx.tenantId, run.subjectId, run.attempt]);
  if (later !== undefined)
    throw refusal(
      `There is a later attempt at ${run.subjectId}: attempt ${later.attempt} is ${later.state}`,
      `See: skep run show ${later.id}`,
    );
  const isStopped = run.endedAt !== null || run.state === 'parked';
  if (!isStopped) throw notOver(run);
  return retryWork(tx, run.subjectId, how);
}

function noAttempt({ subjectType, ticketId }: RunRow): Fault {
  const hint =
    ticketId === null
      ? 'What it is about is tried again by itself, or with skep session generate where planning has stopped'
      : `Try its ticket again: skep ticket retry ${ticketId}`;
  return refusal(
    `This run is ${kinds[subjectType]}${ticketId === null ? '' : ` of ${ticketId}`}, and no attempt at a ticket`,
    hint,
  );
}

const kinds: Readonly<Record<RunRow['subjectType'], string>> = {
  ticket: 'an attempt',
  review: 'a check',
  conflict: 'the resolution of a conflict',
  diagnosis: 'a diagnosis',
  spec_phase: 'a step of planning',
};

function notOver({ id, state, subjectId }: RunRow): Fault {
  if (state === 'submitted')
    return refusal(
      'The work of this run was handed in and is being checked: there is nothing to try again yet',
      `See: skep review list --ticket ${subjectId}`,
    );
  return refusal(`This run is ${state}: it is not over`, `Stop it first, which fails its ticket: skep run cancel ${id}`);
}

function refusal(message: string, hint: string): Fault {
  return new Fault('wrong_state', { message, hint });
}
