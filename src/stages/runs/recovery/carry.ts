import { conversationArtifact, type RunResult } from '../../../../contract/runs.ts';
import type { Tx } from '../../../db/database.ts';
import { wakeClaims } from '../../../support/fleet/index.ts';
import { keepTicket, sendTicketBack } from '../../tickets/index.ts';
import { announceRun } from '../holder.ts';
import { tellAnswer } from '../model/told.ts';
import { lastReturnedRun, type RunRow } from '../runs.sql.ts';
import { stoppedRunToCarry, carryRunRow, holdNextAttempt, hurryNextAttempt, remainsOfRun, runToCarry } from './recovery.sql.ts';

/** What a run that broke off has left for the next attempt. */
export interface Remains {
  /** A git bundle of its branch; undefined where there is only the conversation of its agent. */
  readonly bundle: string | undefined;
  /** The commit that it says to hold; undefined where a dead worker's rest says nothing. */
  readonly head: string | undefined;
}

/** Work of a run that is in Skep's copy of the repository. */
export interface TakenIn {
  readonly bundle: string;
  readonly head: string;
}

/** Undefined where nothing is left: what its worker handed in goes before what was found after the worker's death. */
export async function remainsOf(tx: Tx, { id, result }: Pick<RunRow, 'id' | 'result'>): Promise<Remains | undefined> {
  const { bundle, head } = result ?? {};
  if (bundle !== undefined && head !== undefined) return { bundle, head };
  const [left] = await tx.query(remainsOfRun, [tx.tenantId, id, conversationArtifact]);
  if (left === undefined) return undefined;
  if (left.rescue !== null) return { bundle: left.rescue, head: undefined };
  return left.hasConversation ? { bundle: undefined, head: undefined } : undefined;
}

/** What the next attempt at a ticket can begin from, if this run broke off and left something. */
export async function runToCarryOn(tx: Tx, runId: string): Promise<{ run: RunRow; remains: Remains } | undefined> {
  const [run] = await tx.query(runToCarry, [tx.tenantId, runId]);
  const remains = run === undefined ? undefined : await remainsOf(tx, run);
  return run === undefined || remains === undefined ? undefined : { run, remains };
}

/**
 * The next attempt goes on from what this one left, and its ticket waits for that no longer. `taken` is the work, null where it could
 * not be taken in; then the next attempt begins where this one did. Safe to run twice.
 */
export async function carryOn(tx: Tx, runId: string, taken: TakenIn | null): Promise<void> {
  // Claimed in between, the next attempt would be told of work that is not in what it began from.
  await tx.query(holdNextAttempt, [tx.tenantId, runId]);
  const before = await runToCarryOn(tx, runId);
  if (before === undefined) return;
  const { run } = before;
  const [told] = await tx.query(lastReturnedRun, [tx.tenantId, run.subjectType, run.subjectId]);
  const message = whatEnded(run);
  const halt = run.state === 'cancelled' ? 'cancelled' : 'recovery';
  const feedback = tellAnswer(told?.feedback ?? null, { halt, message, answer: '', hasWork: taken !== null });
  const resumeSha = taken?.head ?? told?.resumeSha ?? null;
  const values = [JSON.stringify(feedback), resumeSha, withWork(run.result, taken)];
  const [carried] = await tx.query(carryRunRow, [tx.tenantId, runId, ...values]);
  if (carried === undefined) return;
  announceRun(tx, carried, { type: 'run.carried', head: taken?.head ?? null });
  if (run.state === 'cancelled' || run.failureClass === 'limit') {
    await tx.query(hurryNextAttempt, [tx.tenantId, runId]);
    await wakeClaims(tx);
  }
  const status = (await keepTicket(tx, run.subjectId))?.status;
  if (status === 'claimed' || status === 'running') await sendTicketBack(tx, run.subjectId, `attempt ${run.attempt}: ${message}`);
}

/** What is written down of work that only a dead worker's rest told of, so that the copy of the repository can be made again. */
export function withWork(result: RunResult | null, taken: TakenIn | null): string | null {
  return taken === null ? null : JSON.stringify({ summary: '', ...result, ...taken });
}

/** For a worker to hear that its run is cancelled, and to bring what it has left. */
const bringMsMax = 20_000;

/** How long the next attempt at a ticket waits for what it is to go on from. */
export async function carryWaitMs(tx: Tx, ticketId: string): Promise<number> {
  const [run] = await tx.query(stoppedRunToCarry, [tx.tenantId, ticketId]);
  if (run === undefined) return 0;
  return (await remainsOf(tx, run)) === undefined ? Math.max(0, bringMsMax - run.ageMs) : bringMsMax;
}

function whatEnded({ state, failureClass, failureMessage }: RunRow): string {
  if (state === 'cancelled') return 'a person has cancelled it';
  return state === 'lost' ? 'the worker fell silent' : `${failureClass ?? 'failed'}: ${failureMessage ?? ''}`;
}
