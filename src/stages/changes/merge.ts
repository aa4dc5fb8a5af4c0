import type { Tx } from '../../db/database.ts';
import { failpoint } from '../../kernel/failpoint.ts';
import { getProject, type ProjectRow } from '../../support/projects/index.ts';
import { advance, type BareRepository, getTrunk, holdTrunk, reserve, type TrunkRow } from '../../support/repositories/index.ts';
import { flowScope, mergeCandidate, openMergeReview, type ReviewParts, type ReviewRow, reviewsOfWork } from '../reviews/index.ts';
import { acceptRun, getRun, keepMergeBundle, type ReceivedBlob, submittedRunOf } from '../runs/index.ts';
import { completeTicket } from '../tickets/index.ts';
import { type ChangeRow, landChangeRow, nextInQueue } from './changes.sql.ts';
import { queueConflict } from './conflict.ts';
import { mergeMessage } from './model/message.ts';
import { ensureCommits } from './repository/ensure.ts';
import { announceChange, carriesWork, getChange, leaveQueue, moveChange } from './verbs.ts';

interface Turn {
  readonly trunk: TrunkRow & { readonly headSha: string };
  readonly change: ChangeRow;
  readonly project: ProjectRow;
  /** The review that lets this head land on this trunk; undefined where there is none yet. */
  readonly approval: ReviewRow | undefined;
}

type Approved = Turn & { readonly approval: ReviewRow };

/**
 * Takes the merge queue of a trunk one step further, if it can move. One change is merged at a time, and while it is checked again
 * no other lands: so what was checked is what the trunk becomes. Safe to run by any number of servers at once.
 */
export async function mergeNext(parts: ReviewParts, tenantId: string, trunkId: string): Promise<void> {
  const scope = flowScope(tenantId);
  const turn = await parts.database.engine(scope, tx => takeTurn(tx, trunkId));
  if (turn === undefined) return;
  const { trunk, change, approval } = turn;
  const repo = await ensureCommits(parts, trunk, [
    trunk.headSha,
    change.headSha,
    ...(approval === undefined ? [] : [approval.candidateSha]),
  ]);
  if (approval !== undefined) return land(parts, repo, { ...turn, approval });
  const merged = await mergeCandidate(repo, { base: trunk.headSha, head: change.headSha });
  await parts.database.engine(scope, async tx => {
    // Of two that think of it at once the second finds what the first has done.
    if (!(await isOurTurn(tx, turn))) return;
    if ((await reviewsNow(tx, turn)).some(({ state }) => state === 'pending' || state === 'passed')) return;
    if (merged.kind === 'clean') await openMergeReview(tx, { trunk, candidate: merged.candidate, work: change });
    else await queueConflict(tx, { trunk, change, files: merged.kind === 'conflict' ? merged.files : [] }, parts.settings);
  });
}

/**
 * The change whose turn it is; undefined where there is none, or where it is being checked again. One whose work was withdrawn, of
 * which its job may hear later, does not hold up the others.
 */
async function takeTurn(tx: Tx, trunkId: string): Promise<Turn | undefined> {
  const trunk = await holdTrunk(tx, trunkId);
  const { headSha } = trunk;
  if (trunk.state !== 'ready' || headSha === null) return undefined;
  const change = (await reserved(tx, trunk)) ?? (await reserveNext(tx, trunk));
  if (change === undefined) return undefined;
  if (!(await carriesWork(tx, change))) {
    const reason = 'its work was withdrawn';
    await leaveQueue(tx, { trunk: await getTrunk(tx, trunkId), change }, { verb: 'close', type: 'change.closed', reason });
    return undefined;
  }
  const reviews = await reviewsNow(tx, { trunk: { ...trunk, headSha }, change });
  if (reviews.some(review => review.state === 'pending')) return undefined;
  const approval = reviews.find(review => review.state === 'passed' || trunk.checks.length === 0);
  return { trunk: { ...trunk, headSha }, change, project: await getProject(tx, trunk.projectId), approval };
}

/** What reviews say of this head on this trunk, as it is now. */
function reviewsNow(tx: Tx, { trunk, change }: Pick<Turn, 'trunk' | 'change'>): Promise<ReviewRow[]> {
  const { runId, headSha } = change;
  return reviewsOfWork(tx, { trunkId: trunk.id, runId, headSha, baseSha: trunk.headSha });
}

async function reserved(tx: Tx, { mergingId }: TrunkRow): Promise<ChangeRow | undefined> {
  if (mergingId === null) return undefined;
  const change = await getChange(tx, mergingId);
  return change.state === 'merging' ? change : undefined;
}

async function reserveNext(tx: Tx, trunk: TrunkRow): Promise<ChangeRow | undefined> {
  const [next] = await tx.query(nextInQueue, [tx.tenantId, trunk.id]);
  await reserve(tx, trunk.id, next?.id ?? null);
  return next === undefined ? undefined : moveChange(tx, next.id, { verb: 'merge' });
}

/** Still, under the locks: what is done then goes by what was looked at. Nor was the ticket cancelled at this very moment. */
async function isOurTurn(tx: Tx, { trunk, change }: Turn): Promise<boolean> {
  const now = await holdTrunk(tx, trunk.id);
  return now.headSha === trunk.headSha && now.mergingId === change.id && (await carriesWork(tx, change));
}

async function land(parts: ReviewParts, repo: BareRepository, turn: Approved): Promise<void> {
  const { trunk, change, approval } = turn;
  const scope = flowScope(change.tenantId);
  const { attempt, agent, id: runId } = await parts.database.engine(scope, tx => getRun(tx, change.runId));
  const proof = approval.state === 'passed' ? ('proven' as const) : ('unproven' as const);
  const commit = await repo.merging.commit({
    tree: await repo.objects.treeOf(approval.candidateSha),
    parents: [trunk.headSha, change.headSha],
    message: mergeMessage({
      ...change,
      reviewId: approval.id,
      runId,
      attempt,
      agent: agent ?? 'none',
      checks: approval.checks,
      proof,
    }),
    at: approval.endedAt ?? approval.createdAt,
  });
  const blob = await bundleOf(parts, repo, { branch: trunk.branch, head: commit, not: trunk.headSha });
  try {
    failpoint('before-land');
    await parts.database.engine(scope, tx => landRows(tx, turn, { commit, blob, proof }));
  } finally {
    await blob.discard();
  }
  failpoint('after-land');
  await repo.refs.set(`refs/skep/trunks/${trunk.id}`, commit);
}

/** Kept as a blob, since the bare repository is a cache: from the base and these it can be made again. */
async function bundleOf(
  { blobs }: ReviewParts,
  repo: BareRepository,
  { branch, head, not }: { branch: string; head: string; not: string },
): Promise<ReceivedBlob> {
  const bundle = repo.transfer.bundle({ branch, head, not: [not] });
  return blobs.receive(bundle, bundleBytesMax);
}

/** Far above what a run may hand in. */
const bundleBytesMax = 8 * 1_073_741_824;

async function landRows(
  tx: Tx,
  turn: Approved,
  { commit, blob, proof }: { commit: string; blob: ReceivedBlob; proof: 'proven' | 'unproven' },
): Promise<void> {
  const { change, approval } = turn;
  if (!(await isOurTurn(tx, turn))) return;
  const trunk = await advance(tx, turn.trunk.id, { from: turn.trunk.headSha, to: commit });
  if (trunk === undefined) return;
  await keepMergeBundle(tx, change.runId, blob);
  const review = [change.headSha, approval.id, turn.trunk.headSha];
  const [landed] = await tx.query(landChangeRow, [tx.tenantId, change.id, commit, blob.sha256, trunk.mergeCount, ...review]);
  const own = await submittedRunOf(tx, change.ticketId);
  await acceptRun(tx, change.runId);
  if (own !== undefined && own.id !== change.runId) await acceptRun(tx, own.id);
  if (landed === undefined || (await completeTicket(tx, change.ticketId, proof)) === undefined)
    throw new Error(`the ticket ${change.ticketId} was held and does not merge`);
  announceChange(tx, landed, { type: 'change.merged', commit, proof });
}
