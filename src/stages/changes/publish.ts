import type { Tx } from '../../db/database.ts';
import { isFault } from '../../kernel/fault.ts';
import { getProject } from '../../support/projects/index.ts';
import { findTrunk, getTrunk, markPublished, markUnpublished, type TrunkRow } from '../../support/repositories/index.ts';
import { flowScope, type ReviewParts } from '../reviews/index.ts';
import { getTicket } from '../tickets/index.ts';
import { trunkInWork } from './changes.sql.ts';

const publishTimeoutMs = 600_000;
const retry = { firstMs: 5_000, longestMs: 600_000 };

/**
 * Pushes what has landed to the branch of the user's repository, once nothing of the trunk is in work: nobody sees a half-made
 * branch, and a build of 500 tickets pushes once. What somebody else has put there is never overwritten. Safe to run twice.
 */
export async function publishTrunk(parts: ReviewParts, tenantId: string, trunkId: string): Promise<void> {
  const { database, depot, upstream } = parts;
  const scope = flowScope(tenantId);
  const due = await database.engine(scope, tx => readDue(tx, trunkId));
  if (due === undefined) return;
  const { trunk, repository, head } = due;
  const { gitDir } = await depot.open(trunk.projectId, trunk.objectFormat);
  try {
    const expected = trunk.publishedSha ?? undefined;
    const signal = AbortSignal.timeout(publishTimeoutMs);
    await upstream.publish(repository, { gitDir, commit: head, branch: trunk.branch, expected, signal });
  } catch (error) {
    if (!isFault(error)) throw error;
    const retryMs = Math.min(retry.firstMs * 2 ** Math.min(trunk.publishAttempts, 20), retry.longestMs);
    const message = error.hint === undefined ? error.message : `${error.message}. ${error.hint}`;
    await database.engine(scope, tx => markUnpublished(tx, trunkId, { error: message, retryMs }));
    return;
  }
  await database.engine(scope, tx => markPublished(tx, trunkId, head));
}

/** A ticket goes no further, or waits for a person: perhaps it was the last in work. */
export async function publishTrunkOfTicket(parts: ReviewParts, tenantId: string, ticketId: string): Promise<void> {
  const trunk = await parts.database.engine(flowScope(tenantId), async tx => findTrunk(tx, await getTicket(tx, ticketId)));
  if (trunk !== undefined) await publishTrunk(parts, tenantId, trunk.id);
}

async function readDue(tx: Tx, trunkId: string): Promise<{ trunk: TrunkRow; repository: string; head: string } | undefined> {
  const trunk = await getTrunk(tx, trunkId);
  const { headSha, baseSha, publishedSha } = trunk;
  if (trunk.state !== 'ready' || headSha === null || headSha === baseSha || headSha === publishedSha) return undefined;
  const [work] = await tx.query(trunkInWork, [tx.tenantId, trunkId]);
  const { repository } = await getProject(tx, trunk.projectId);
  return work?.busy === true || repository === null ? undefined : { trunk, repository, head: headSha };
}
