import type { Check } from '../../../contract/projects.ts';
import type { CheckEvidence, Flag } from '../../../contract/reviews.ts';
import type { Tx } from '../../db/database.ts';
import { failpoint } from '../../kernel/failpoint.ts';
import { getTrunk, keepChecks, readyTrunk, refuseTrunk } from '../../support/repositories/index.ts';
import { acceptRun, failWork, getRun, holdSubmitted, submittedRunOf } from '../runs/index.ts';
import { flagChanges } from './model/flags.ts';
import { isGreen, judge, judgeBase } from './model/verdict.ts';
import type { ReviewState } from './model/review.ts';
import { announceReview } from './open.ts';
import type { ReviewSettings } from './parts.ts';
import { dropReviewsOfTicket, endReviewRow, lastBaseReview, reviewForUpdate, type ReviewRow } from './reviews.sql.ts';
import { sendBack, sendResolutionBack } from './send-back.ts';

/** The checks of a review have been run: the verdict, by their evidence alone. A review that has ended is left as it is. */
export async function judgeReview(tx: Tx, runId: string, settings: ReviewSettings): Promise<void> {
  const run = await getRun(tx, runId);
  if (run.state !== 'submitted') return;
  const review = await holdReview(tx, run.subjectId);
  // Also where nobody waits for the verdict any more: then the run alone is over.
  if ((await acceptRun(tx, runId)) === undefined || review === undefined) return;
  const evidence = run.result?.checks ?? [];
  if (!(await isAwaited(tx, review))) await endInconclusive(tx, review, withdrawn);
  else if (!covers(evidence, run.task?.checks ?? []))
    await endInconclusive(tx, review, 'the worker handed in no evidence for all checks');
  else if (review.kind === 'base') await judgeBaseReview(tx, review, evidence);
  else await judgeWork(tx, review, { evidence, settings });
}

/** No run could make this review, however often it was tried. */
export async function giveUpReview(tx: Tx, reviewId: string, reason: string): Promise<void> {
  const review = await holdReview(tx, reviewId);
  if (review !== undefined) await endInconclusive(tx, review, reason);
}

async function judgeWork(
  tx: Tx,
  review: ReviewRow,
  { evidence, settings }: { evidence: CheckEvidence[]; settings: ReviewSettings },
): Promise<void> {
  const { verdict, reason } = judge(evidence);
  const flags = [...review.flags, ...(await fewerTests(tx, review, evidence))];
  const ended = await end(tx, review, { state: verdict, evidence, flags, reason });
  if (verdict === 'passed') {
    announceReview(tx, ended, { type: 'review.passed' });
    return;
  }
  announceReview(tx, ended, { type: 'review.needs_work', reason });
  await returnWork(tx, ended, { reason, settings });
}

/**
 * To the ticket, from what was checked: it holds what landed meanwhile. Only a conflict that was resolved badly goes back to whoever
 * resolves it, which the changes stage sees to.
 */
async function returnWork(
  tx: Tx,
  review: ReviewRow,
  { reason, settings }: { reason: string; settings: ReviewSettings },
): Promise<void> {
  const { runId, ticketId, checks, candidateSha } = review;
  if (runId === null || ticketId === null) return;
  const run = await getRun(tx, runId);
  if (run.subjectType === 'conflict') {
    await sendResolutionBack(tx, { runId, ticketId, changeId: run.subjectId, checks, resumeSha: candidateSha });
    if (review.kind === 'submission') return;
  }
  const own = await submittedRunOf(tx, ticketId);
  if (own !== undefined) await sendBack(tx, settings, { runId: own.id, ticketId, reason, checks, resumeSha: candidateSha });
}

async function judgeBaseReview(tx: Tx, review: ReviewRow, evidence: CheckEvidence[]): Promise<void> {
  const trunk = await getTrunk(tx, review.trunkId);
  const { verdict, failures } = judgeBase(evidence);
  const reason = failures.length === 0 ? 'all checks are green' : failures.join('; ');
  const ended = await end(tx, review, { state: verdict, evidence, flags: [], reason });
  announceReview(tx, ended, { type: verdict === 'passed' ? 'review.passed' : 'review.failed', reason });
  const red = evidence.filter(check => !isGreen(check));
  const flaky = evidence.filter(check => check.flaky);
  if (red.length > 0 && trunk.redBase === 'refuse') {
    await refuseTrunk(tx, trunk.id, {
      reason: `The checks fail on the base commit itself, before any work: ${reason}`,
      hint: 'Mend the repository and go on with: skep build --resume. Or leave the red checks out: skep build --resume --leave-out-red',
    });
    return;
  }
  const checks = trunk.checks.filter(check => !red.some(each => each.name === check.name));
  const notes = [
    ...red.map(check => `${check.name} is red on the base commit and left out`),
    ...flaky.map(
      check => `${check.name} was red on the base commit at first and green when it was run again: it cannot be relied on`,
    ),
  ];
  if (notes.length > 0) await keepChecks(tx, trunk.id, { checks, notes: [...trunk.notes, ...notes] });
  await readyTrunk(tx, trunk.id);
}

async function endInconclusive(tx: Tx, review: ReviewRow, reason: string): Promise<void> {
  const ended = await end(tx, review, { state: 'inconclusive', evidence: [], flags: review.flags, reason });
  announceReview(tx, ended, { type: 'review.inconclusive', reason });
  if (review.kind === 'base') {
    await refuseTrunk(tx, review.trunkId, {
      reason: `The checks could not be run on the base commit: ${reason}`,
      hint: 'Go on with: skep build --resume',
    });
  } else if (review.ticketId !== null && (await isAwaited(tx, review))) {
    await failWork(tx, review.ticketId, `the review could not be made: ${reason}`);
  }
}

const withdrawn = 'the work was withdrawn before its review had ended';

/** Whether the work that is reviewed still waits for it. A verdict on what was withdrawn must not touch the next attempt. */
async function isAwaited(tx: Tx, { kind, runId }: ReviewRow): Promise<boolean> {
  return kind === 'base' || (runId !== null && (await holdSubmitted(tx, runId)) !== undefined);
}

async function end(
  tx: Tx,
  review: ReviewRow,
  { state, evidence, flags, reason }: { state: ReviewState; evidence: CheckEvidence[]; flags: Flag[]; reason: string },
): Promise<ReviewRow> {
  const values = [state, JSON.stringify(evidence), JSON.stringify(flags), reason];
  const [ended] = await tx.query(endReviewRow, [tx.tenantId, review.id, ...values]);
  if (ended === undefined) throw new Error(`review ${review.id} was held and has ended all the same`);
  failpoint('review-judged');
  return ended;
}

/** A trunk is locked before its reviews. */
async function holdReview(tx: Tx, id: string): Promise<ReviewRow | undefined> {
  const [review] = await tx.query(reviewForUpdate, [tx.tenantId, id]);
  return review?.state === 'pending' ? review : undefined;
}

async function fewerTests(tx: Tx, { trunkId }: ReviewRow, evidence: readonly CheckEvidence[]): Promise<Flag[]> {
  const [base] = await tx.query(lastBaseReview, [tx.tenantId, trunkId]);
  if (base === undefined) return [];
  const counts = (checks: readonly CheckEvidence[]) => new Map(checks.map(check => [check.name, check.tests]));
  const none = new Map<string, string>();
  return flagChanges({
    changed: [],
    checks: evidence.map(({ name, command }) => ({ name, command })),
    baseFiles: none,
    headFiles: none,
    baseTests: counts(base.checks),
    candidateTests: counts(evidence),
  });
}

/** Evidence is of the checks that were asked for, by name and by command. */
function covers(evidence: readonly CheckEvidence[], checks: readonly Check[]): boolean {
  const asked = (all: readonly Check[]) => JSON.stringify(all.map(({ name, command }) => [name, command]));
  return asked(evidence) === asked(checks);
}

/** The ticket goes no further: what was asked about its work is of no interest any more. */
export async function dropReviews(tx: Tx, ticketId: string): Promise<void> {
  for (const review of await tx.query(dropReviewsOfTicket, [tx.tenantId, ticketId])) {
    announceReview(tx, review, { type: 'review.inconclusive', reason: review.reason });
  }
}
