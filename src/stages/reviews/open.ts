import type { News } from '../../../contract/events.ts';
import type { Tx } from '../../db/database.ts';
import type { TrunkRow } from '../../support/repositories/index.ts';
import { finishingChain, queueSubject } from '../runs/index.ts';
import { keepTicket } from '../tickets/index.ts';
import type { Candidate } from './candidate.ts';
import { endReviewRow, insertReview, type ReviewRow } from './reviews.sql.ts';

/** Has the checks of the trunk run on the candidate. Without any there is nothing to find out, and that is said. */
export async function beginReview(tx: Tx, review: ReviewRow, trunk: TrunkRow): Promise<void> {
  if (trunk.checks.length === 0) return skipReview(tx, review);
  announceReview(tx, review, { type: 'review.opened' });
  // Kept: cancelled in between, the run would wait in the queue for ever.
  const ticket = review.ticketId === null ? undefined : await keepTicket(tx, review.ticketId);
  await queueSubject(tx, {
    type: 'review',
    id: review.id,
    ticketId: ticket?.id ?? null,
    ticketStatus: ticket?.status ?? null,
    priority: ticket?.priority ?? 0,
    chain: finishingChain,
    requires: ['checks'],
    task: {
      projectId: trunk.projectId,
      objectFormat: trunk.objectFormat,
      commit: review.candidateSha,
      base: review.baseSha,
      ...(trunk.baseSha === null ? {} : { origin: trunk.baseSha }),
      checks: trunk.checks,
    },
    waitMs: 0,
  });
}

/** The work of a change again, as it would land now: the trunk has moved since its last review. */
export async function openMergeReview(
  tx: Tx,
  {
    trunk,
    candidate,
    work,
  }: { trunk: TrunkRow; candidate: Candidate; work: { ticketId: string; runId: string; headSha: string } },
): Promise<void> {
  const shas = [work.headSha, candidate.base, candidate.commit];
  const values = [tx.tenantId, 'merge', trunk.id, work.ticketId, work.runId, ...shas, '[]'];
  const [review] = await tx.query(insertReview, values);
  if (review !== undefined) await beginReview(tx, review, trunk);
}

async function skipReview(tx: Tx, review: ReviewRow): Promise<void> {
  const reason = 'the project has no checks: nothing is proven';
  const values = ['inconclusive', '[]', JSON.stringify(review.flags), reason];
  const [ended] = await tx.query(endReviewRow, [tx.tenantId, review.id, ...values]);
  if (ended !== undefined) announceReview(tx, ended, { type: 'review.skipped', reason });
}

export function announceReview(tx: Tx, review: ReviewRow, { type, ...news }: News): void {
  const { id, kind, trunkId, ticketId, runId, round, state, headSha, baseSha } = review;
  tx.announce({
    type,
    subject: { type: 'review', id },
    payload: { kind, trunkId, ticketId, runId, round, state, head: headSha, base: baseSha, ...news },
  });
}
