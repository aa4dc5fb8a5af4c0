import type { Tx } from '../../db/database.ts';
import { failpoint } from '../../kernel/failpoint.ts';
import { isFault } from '../../kernel/fault.ts';
import { getProject } from '../../support/projects/index.ts';
import { findTrunk, getTrunk, markPublished, markUnpublished, type TrunkRow } from '../../support/repositories/index.ts';
import { flowScope, type ReviewParts } from '../reviews/index.ts';
import { getTicket } from '../tickets/index.ts';
import { mergedChanges, trunkInWork } from './changes.sql.ts';
import { ensureCommits } from './repository/ensure.ts';

const publishTimeoutMs = 600_000;
const retry = { firstMs: 5_000, longestMs: 600_000 };

/**
 * Pushes what has landed to the branch of the user's repository, once nothing of the trunk is in work: nobody sees a half-made
 * branch, and a build of 500 tickets pushes once. What somebody else has put there is never overwritten. Safe to run twice.
 */
export async function publishTrunk(parts: ReviewParts, tenantId: string, trunkId: string): Promise<void> {
  await publishDue(parts, tenantId, async tx => readDue(tx, await getTrunk(tx, trunkId)));
}

/** A ticket has ended or waits: perhaps it was the last in work. */
export async function publishTrunkOfTicket(parts: ReviewParts, tenantId: string, ticketId: string): Promise<void> {
  await publishDue(parts, tenantId, async tx => {
    const trunk = await findTrunk(tx, await getTicket(tx, ticketId));
    return trunk === undefined ? undefined : readDue(tx, trunk);
  });
}

async function publishDue(parts: ReviewParts, tenantId: string, find: (tx: Tx) => ReturnType<typeof readDue>): Promise<void> {
  const { database, upstream } = parts;
  const scope = flowScope(tenantId);
  const due = await database.engine(scope, find);
  if (due === undefined) return;
  const { trunk, repository, head } = due;
  const trunkId = trunk.id;
  try {
    const { gitDir } = await ensureCommits(parts, trunk, [head]);
    const signal = AbortSignal.timeout(publishTimeoutMs);
    const expected = await expectedAt(parts, { repository, trunk, head, signal });
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

/**
 * Where the branch must be for the push: where the last one left it, or gone, since its work was merged and it was deleted. A push that
 * arrived and of which nobody heard before more has landed left it at an earlier head of this trunk, which is nobody else's.
 */
async function expectedAt(
  { database, upstream }: ReviewParts,
  { repository, trunk, head, signal }: { repository: string; trunk: TrunkRow; head: string; signal: AbortSignal },
): Promise<string | undefined> {
  const { branch, tenantId, id, publishedSha } = trunk;
  const { branchAt } = await upstream.look(repository, { branch, signal });
  if (branchAt === undefined || branchAt === publishedSha) return branchAt;
  const landed = await database.engine(flowScope(tenantId), tx => tx.query(mergedChanges, [tenantId, id]));
  const place = (commit: string): number => landed.findIndex(({ mergeSha }) => mergeSha === commit);
  const isOurs = place(branchAt) >= 0 && place(branchAt) <= place(head);
  return isOurs ? branchAt : (publishedSha ?? undefined);
}

function wordsOf(error: unknown): string {
  if (!isFault(error)) return String(error);
  return error.hint === undefined ? error.message : `${error.message}. ${error.hint}`;
}

async function readDue(tx: Tx, trunk: TrunkRow): Promise<{ trunk: TrunkRow; repository: string; head: string } | undefined> {
  const { headSha, baseSha, publishedSha } = trunk;
  if (trunk.state !== 'ready' || headSha === null || headSha === baseSha || headSha === publishedSha) return undefined;
  const [work] = await tx.query(trunkInWork, [tx.tenantId, trunk.id]);
  const { repository } = await getProject(tx, trunk.projectId);
  return work?.busy === true || repository === null ? undefined : { trunk, repository, head: headSha };
}
