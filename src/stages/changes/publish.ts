import type { Tx } from '../../db/database.ts';
import { failpoint } from '../../kernel/failpoint.ts';
import { isFault } from '../../kernel/fault.ts';
import { getProject } from '../../support/projects/index.ts';
import { findTrunk, getTrunk, markPublished, markUnpublished, type TrunkRow } from '../../support/repositories/index.ts';
import { flowScope, type ReviewParts } from '../reviews/index.ts';
import { getTicket } from '../tickets/index.ts';
import { trunkInWork } from './changes.sql.ts';
import { ensureCommits } from './repository/ensure.ts';

const publishTimeoutMs = 600_000;
const retry = { firstMs: 5_000, longestMs: 600_000 };

/**
 * Pushes what has landed to the branch of the user's repository, once nothing of the trunk is in work: nobody sees a half-made
 * branch, and a build of 500 tickets pushes once. What somebody else has put there is never overwritten. Safe to run twice.
 */
export async function publishTrunk(parts: ReviewParts, tenantId: string, trunkId: string): Promise<void> {
  const { database, upstream } = parts;
  const scope = flowScope(tenantId);
  const due = await database.engine(scope, tx => readDue(tx, trunkId));
  if (due === undefined) return;
  const { trunk, repository, head } = due;
  try {
    const { gitDir } = await ensureCommits(parts, trunk, [head]);
    const signal = AbortSignal.timeout(publishTimeoutMs);
    const expected = await expectedAt(parts, { repository, trunk, signal });
    failpoint('before-publish');
    await upstream.publish(repository, { gitDir, commit: head, branch: trunk.branch, expected, signal });
    failpoint('after-publish');
  } catch (error) {
    // Whatever it was: the next try is written down, and what went wrong stands where a person looks.
    const retryMs = Math.min(retry.firstMs * 2 ** Math.min(trunk.publishAttempts, 20), retry.longestMs);
    await database.engine(scope, tx => markUnpublished(tx, trunkId, { error: wordsOf(error), retryMs }));
    return;
  }
  await database.engine(scope, tx => markPublished(tx, trunkId, { commit: head, from: trunk.publishedSha }));
}

/** Where the branch must be for the push: where the last one left it, or gone, since its work was merged and it was deleted. */
async function expectedAt(
  { upstream }: ReviewParts,
  { repository, trunk: { branch, publishedSha }, signal }: { repository: string; trunk: TrunkRow; signal: AbortSignal },
): Promise<string | undefined> {
  if (publishedSha === null) return undefined;
  const { branchAt } = await upstream.look(repository, { branch, signal });
  return branchAt === undefined ? undefined : publishedSha;
}

function wordsOf(error: unknown): string {
  if (!isFault(error)) return String(error);
  return error.hint === undefined ? error.message : `${error.message}. ${error.hint}`;
}

/** A ticket has ended or waits: perhaps it was the last in work. */
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
