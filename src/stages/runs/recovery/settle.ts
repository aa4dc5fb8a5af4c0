import { isParking } from '../../../../contract/runs.ts';
import type { Tx } from '../../../db/database.ts';
import { failTicket, getTicket, sendTicketBack, ticketWaits } from '../../tickets/index.ts';
import { announceRun } from '../holder.ts';
import { afterAttempt, type Ended, endedCountMax, waitBeforeAttempt } from '../model/retry.ts';
import { ofSubject } from '../planning/model/subject.ts';
import { lastRunsOfPhase } from '../planning/planning.sql.ts';
import { lastRunsOf, type RunRow, submittedRun } from '../runs.sql.ts';
import type { RunSettings } from '../settings.ts';
import { askAboutRun } from './ask.ts';
import { routeAnew } from '../queue/route.ts';
import { remainsOf } from './carry.ts';
import { lastRunsSince } from './recovery.sql.ts';
import { requeueRun } from './requeue.ts';

/**
 * After an attempt without a result: another one, a question, or the end. What is no ticket is queued again as it was. A ticket whose
 * run has left work is sent back by those who have taken that in (carryOn).
 */
export async function settle(
  tx: Tx,
  run: RunRow,
  { message, settings }: { readonly message: string; readonly settings: RunSettings },
): Promise<void> {
  const isOfTicket = run.subjectType === 'ticket';
  if (isOfTicket && run.halt !== null && (isParking(run.halt.kind) || run.halt.kind === 'blocked')) {
    await ticketWaits(tx, run.subjectId, run.halt.message);
    return;
  }
  const ended = await endedBefore(tx, run);
  const policy = { ...settings, isAwaited: run.subjectType === 'spec_phase' };
  const { next, reason } = afterAttempt({ message, ended }, policy);
  if (isOfTicket) await settleTicket(tx, run, { next, reason });
  else if (next === 'again') await requeueAnew(tx, run, { waitMs: waitBeforeAttempt(ended, policy), settings });
  else announceRun(tx, run, { type: 'run.exhausted', reason });
}

/** A conflict by the template that holds now. */
async function requeueAnew(
  tx: Tx,
  run: RunRow,
  { waitMs, settings }: { readonly waitMs: number; readonly settings: RunSettings },
): Promise<void> {
  const queued = await requeueRun(tx, run, waitMs);
  if (queued !== undefined) await routeAnew(tx, { run: queued, waitMs }, settings);
}

async function settleTicket(
  tx: Tx,
  run: RunRow,
  { next, reason }: Pick<ReturnType<typeof afterAttempt>, 'next' | 'reason'>,
): Promise<void> {
  if (next === 'fail') await failTicket(tx, run.subjectId, reason);
  else if (next === 'ask') await askAboutRun(tx, run, reason);
  else if ((await remainsOf(tx, run)) === undefined) await sendTicketBack(tx, run.subjectId, reason);
}

/**
 * How the last attempts ended that count: of a ticket those since a person had it tried anew, of a conflict those since the work that
 * is in it was begun, of a phase of planning those since it was begun, or begun again.
 */
async function endedBefore(tx: Tx, { subjectType, subjectId, ticketId }: RunRow): Promise<Ended[]> {
  if (subjectType === 'spec_phase')
    return tx.query(lastRunsOfPhase, [tx.tenantId, ofSubject(subjectId).sessionId, subjectId, endedCountMax]);
  if (subjectType === 'conflict' && ticketId !== null) {
    const [work] = await tx.query(submittedRun, [tx.tenantId, ticketId]);
    if (work !== undefined) return tx.query(lastRunsSince, [tx.tenantId, subjectType, subjectId, endedCountMax, work.createdAt]);
  }
  const { attempts } = subjectType === 'ticket' ? await getTicket(tx, subjectId) : { attempts: endedCountMax };
  return tx.query(lastRunsOf, [tx.tenantId, subjectType, subjectId, Math.min(attempts, endedCountMax)]);
}
