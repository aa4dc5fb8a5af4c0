import type { Tx } from '../../db/database.ts';
import { Fault } from '../../kernel/fault.ts';
import { reviewById, type ReviewRow, reviewsFiltered, reviewsOfRun, workReviewsOfTrunk } from './reviews.sql.ts';

export async function getReview(tx: Tx, id: string): Promise<ReviewRow> {
  const [review] = await tx.query(reviewById, [tx.tenantId, id]);
  if (review === undefined) throw new Fault('review_not_found');
  return review;
}

/** Reviews, newest first. */
export function listReviews(
  tx: Tx,
  { ticketId, trunkId, limit }: { ticketId?: string | undefined; trunkId?: string | undefined; limit: number },
): Promise<ReviewRow[]> {
  return tx.query(reviewsFiltered, [tx.tenantId, ticketId ?? null, trunkId ?? null, limit]);
}

/** What reviews say of a head that a run handed in, merged into one base; newest first. */
export async function reviewsOfWork(
  tx: Tx,
  work: { trunkId: string; runId: string; headSha: string; baseSha: string },
): Promise<ReviewRow[]> {
  const reviews = await tx.query(reviewsOfRun, [tx.tenantId, work.trunkId, work.runId]);
  return reviews.filter(review => review.headSha === work.headSha && review.baseSha === work.baseSha);
}

/** All reviews of work for a trunk, in the order in which they were made. */
export async function reviewsOfTrunk(tx: Tx, trunkId: string): Promise<ReviewRow[]> {
  return tx.query(workReviewsOfTrunk, [tx.tenantId, trunkId]);
}
