import type { Feedback } from '../../../contract/reviews.ts';
import { type FailureClass, isParking, type ParkingKind, type RunResult } from '../../../contract/runs.ts';
import type { Database, Tx } from '../../db/database.ts';
import { Fault } from '../../kernel/fault.ts';
import { move } from '../../kernel/machine.ts';
import { failTicket, ticketStarted, ticketSubmitted, ticketWaits, unclaimTicket } from '../tickets/index.ts';
import { announceRun, fence, type Holder, type HolderScope, lostLease, single } from './holder.ts';
import { runMachine } from './model/run.ts';
import { closeQuestionOf } from './parking/close.ts';
import { routeAnew } from './queue/route.ts';
import { type Classed, classed } from './recovery/classed.ts';
import { settle } from './recovery/settle.ts';
import {
  blobOfRun,
  endRunRow,
  endRunsOfTicket,
  failRunRow,
  holdLease,
  holdRun,
  lastRunsOf,
  parkRunRow,
  renewLease,
  returnedSince,
  returnRunRow,
  type RunRow,
  runById,
  runEndedByHolder,
  startRunRow,
  type StoredHalt,
  submitRunRow,
  submittedRun,
  unclaimRunRow,
} from './runs.sql.ts';
import type { RunSettings } from './settings.ts';

/** Gives a claim back whose answer could not be delivered, as if it had not been: by its token, so at most once. */
export async function returnClaim(tx: Tx, holder: Holder, settings: RunSettings): Promise<void> {
  const [run] = await tx.query(unclaimRunRow, fence(tx.tenantId, holder));
  if (run === undefined) return;
  announceRun(tx, run, { type: 'run.queued', why: 'the claim reached nobody' });
  if (run.subjectType === 'ticket') await unclaimTicket(tx, run.subjectId);
  await routeAnew(tx, { run, waitMs: 0 }, settings);
}

/** Keeps the lease. One statement, since it is said every few seconds for every live run. */
export async function renew(database: Database, { tenantId, holder }: HolderScope, settings: RunSettings): Promise<RunRow> {
  const [run] = await database.enginePool.query(renewLease, [...fence(tenantId, holder), settings.leaseMs]);
  if (run === undefined) throw await lostLease(single(database, tenantId), holder);
  return run;
}

/** Keeps the lease and says how far the run has come; what is behind already is said in vain and changes nothing. */
export async function progress(
  tx: Tx,
  holder: Holder,
  to: { readonly state: 'starting' | 'working'; readonly sandbox?: string | undefined; readonly leaseMs: number },
): Promise<RunRow> {
  const { from } = move(runMachine, to.state === 'working' ? 'work' : 'start');
  const key = fence(tx.tenantId, holder);
  const [moved] = await tx.query(startRunRow, [...key, to.leaseMs, to.state, to.sandbox ?? null, from]);
  if (moved === undefined) {
    const [same] = await tx.query(renewLease, [...key, to.leaseMs]);
    if (same === undefined) throw await lostLease(tx, holder);
    return same;
  }
  if (moved.state === 'working') {
    announceRun(tx, moved, { type: 'run.started', worker: moved.worker, sandbox: moved.sandbox });
    if (moved.subjectType === 'ticket') await ticketStarted(tx, moved.subjectId, moved.sandbox ?? undefined);
  }
  return moved;
}

/** Hands in the result. Said again by the same holder, because the answer was lost, it answers the same. */
export async function submitRun(tx: Tx, holder: Holder, result: RunResult): Promise<RunRow> {
  await checkUpload(tx, holder, result);
  const key = fence(tx.tenantId, holder);
  const [held] = await tx.query(holdLease, key);
  // Whatever the agent says of its work: who was stopped on the way has not done it.
  if (held !== undefined && held.halt !== null)
    throw new Fault('run_halted', { message: held.halt.message, facts: { halt: held.halt.kind } });
  const [run] = await tx.query(submitRunRow, [...key, JSON.stringify(result)]);
  if (run === undefined) {
    const ended = await saidAgain(tx, holder, ['submitted', 'accepted', 'returned']);
    // What was parked is returned too, once it is decided, and was never handed in.
    if (ended.halt !== null) throw await lostLease(tx, holder);
    return ended;
  }
  if (run.subjectType === 'ticket' && (await ticketSubmitted(tx, run.subjectId, result.branch)) === undefined) {
    throw new Fault('lease_lost', { message: 'The ticket of this run was cancelled', facts: { state: 'cancelled' } });
  }
  announceRun(tx, run, { type: 'run.submitted', head: result.head ?? null, bundle: result.bundle ?? null });
  return run;
}

/** What its holder says of an attempt that ended without a result. */
export interface Failed extends Classed {
  /** What there is of the work: the next attempt goes on from its bundle. */
  readonly result?: RunResult | undefined;
  readonly settings: RunSettings;
}

/** Ends the attempt without a result; the ticket is tried again, asked about, or failed. */
export async function failRun(tx: Tx, holder: Holder, { settings, result, ...said }: Failed): Promise<RunRow> {
  await checkUpload(tx, holder, result ?? { summary: '' });
  const [held] = await tx.query(holdLease, fence(tx.tenantId, holder));
  const halt = held?.halt ?? undefined;
  if (isParking(halt?.kind)) return parkRun(tx, holder, result ?? { summary: '' });
  const why =
    halt === undefined ? await classed(tx, holder.runId, said) : { failureClass: haltedClass[halt.kind], message: halt.message };
  const values = [why.failureClass, why.message, result === undefined ? null : JSON.stringify(result)];
  const [run] = await tx.query(failRunRow, [...fence(tx.tenantId, holder), ...values]);
  if (run === undefined) return saidAgain(tx, holder, ['failed', 'parked']);
  announceRun(tx, run, { type: 'run.failed', class: why.failureClass, message: why.message });
  await settle(tx, run, { message: why.message, settings });
  return run;
}

/** What a run that was stopped on the way has failed of. */
const haltedClass: Readonly<Record<Exclude<StoredHalt['kind'], ParkingKind>, FailureClass>> = {
  recovery: 'agent_failed',
  recording: 'model',
  model: 'model',
  blocked: 'blocked',
  limit: 'limit',
  unfinished: 'agent_failed',
};

/**
 * Stops a run whose budget is spent, or whose agent has asked a person, with the work that it has so far, until there is an answer. Its
 * ticket waits for that.
 * Throws Fault `wrong_state` for a run in whose way nothing stands.
 */
export async function parkRun(tx: Tx, holder: Holder, result: RunResult): Promise<RunRow> {
  await checkUpload(tx, holder, result);
  const key = fence(tx.tenantId, holder);
  const [held] = await tx.query(holdLease, key);
  if (held === undefined) return saidAgain(tx, holder, ['parked']);
  if (held.halt === null || !isParking(held.halt.kind))
    throw new Fault('wrong_state', { message: 'Nothing stands in the way of this run: it cannot be parked' });
  const [run] = await tx.query(parkRunRow, [...key, JSON.stringify(result), JSON.stringify(held.halt)]);
  if (run === undefined) throw await lostLease(tx, holder);
  announceRun(tx, run, {
    type: 'run.parked',
    message: held.halt.message,
    head: result.head ?? null,
    bundle: result.bundle ?? null,
  });
  if (run.subjectType === 'ticket') await ticketWaits(tx, run.subjectId, held.halt.message);
  return run;
}

/** The work of a submitted run was good. Undefined where it is not submitted any more. */
export async function acceptRun(tx: Tx, runId: string): Promise<RunRow | undefined> {
  const { to, from } = move(runMachine, 'accept');
  const [run] = await tx.query(endRunRow, [tx.tenantId, runId, to, from]);
  if (run !== undefined) announceRun(tx, run, { type: 'run.accepted' });
  return run;
}

/** The work of a submitted run was not good enough: what the next attempt is told, and the commit from which it goes on. */
export async function returnRun(
  tx: Tx,
  runId: string,
  { feedback, resumeSha }: { feedback: Feedback; resumeSha: string | null },
): Promise<RunRow | undefined> {
  const [run] = await tx.query(returnRunRow, [tx.tenantId, runId, JSON.stringify(feedback), resumeSha]);
  if (run !== undefined) announceRun(tx, run, { type: 'run.returned', round: feedback.round });
  return run;
}

/** A submitted run, locked: runs are locked before their tickets everywhere. */
export async function holdSubmitted(tx: Tx, runId: string): Promise<RunRow | undefined> {
  const [run] = await tx.query(holdRun, [tx.tenantId, runId, ['submitted']]);
  return run;
}

/** The submission of a ticket that waits for its verdict. */
export async function submittedRunOf(tx: Tx, ticketId: string): Promise<RunRow | undefined> {
  const [run] = await tx.query(submittedRun, [tx.tenantId, ticketId]);
  return run;
}

/** How many resolutions of a conflict were handed in and sent back since this work was. */
export async function countResolutions(tx: Tx, changeId: string, work: Pick<RunRow, 'createdAt'>): Promise<number> {
  const [counted] = await tx.query(returnedSince, [tx.tenantId, 'conflict', changeId, work.createdAt]);
  return counted?.count ?? 0;
}

/** How many of the last `limit` attempts at a subject were handed in and sent back. */
export async function countReturns(
  tx: Tx,
  { type, id, limit }: { type: RunRow['subjectType']; id: string; limit: number },
): Promise<number> {
  const last = await tx.query(lastRunsOf, [tx.tenantId, type, id, limit]);
  return last.filter(run => run.state === 'returned').length;
}

/** Ends a run by a person's word. Its ticket is failed, not tried again: a retry is a person's word too. */
export async function cancelRun(tx: Tx, runId: string): Promise<RunRow> {
  const run = await endAsCancelled(tx, runId, 'cancelled by a person');
  if (run === undefined) {
    const present = await getRun(tx, runId);
    throw new Fault('wrong_state', {
      message: `A run that is ${present.state} cannot be cancelled`,
      facts: { currentState: present.state },
    });
  }
  if (run.ticketId === null) {
    announceRun(tx, run, { type: 'run.exhausted', reason: 'cancelled by a person' });
    await closeQuestionOf(tx, run);
  } else await failWork(tx, run.ticketId, 'its run was cancelled by a person');
  return run;
}

/**
 * Fails a ticket and ends all that still runs or waits on its behalf, in the same commit: a retry finds nothing in its way, and
 * nothing late is taken for its work.
 */
export async function failWork(tx: Tx, ticketId: string, reason: string): Promise<void> {
  const { to, from } = move(runMachine, 'cancel');
  for (const run of await tx.query(endRunsOfTicket, [tx.tenantId, ticketId, to, from]))
    announceRun(tx, run, { type: 'run.cancelled', why: 'its ticket has failed' });
  await failTicket(tx, ticketId, reason);
}

export async function getRun(tx: Tx, runId: string): Promise<RunRow> {
  const [run] = await tx.query(runById, [tx.tenantId, runId]);
  if (run === undefined) throw new Fault('run_not_found');
  return run;
}

async function endAsCancelled(tx: Tx, runId: string, why: string): Promise<RunRow | undefined> {
  const { to, from } = move(runMachine, 'cancel');
  const [run] = await tx.query(endRunRow, [tx.tenantId, runId, to, from]);
  if (run !== undefined) announceRun(tx, run, { type: 'run.cancelled', why });
  return run;
}

async function saidAgain(tx: Tx, holder: Holder, states: readonly string[]): Promise<RunRow> {
  const [run] = await tx.query(runEndedByHolder, [...fence(tx.tenantId, holder), states]);
  if (run === undefined) throw await lostLease(tx, holder);
  return run;
}

async function checkUpload(tx: Tx, { runId }: Holder, { bundle }: RunResult): Promise<void> {
  if (bundle === undefined) return;
  const [blob] = await tx.query(blobOfRun, [tx.tenantId, runId, bundle]);
  if (blob === undefined) {
    throw new Fault('blob_not_found', {
      message: `result.bundle: no bundle ${bundle} was uploaded for this run`,
      hint: 'Upload it first with PUT /api/runs/:id/bundle and pass the blob that it answers',
    });
  }
}
