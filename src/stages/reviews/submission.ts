import type { Flag } from '../../../contract/reviews.ts';
import type { Tx } from '../../db/database.ts';
import { failpoint } from '../../kernel/failpoint.ts';
import { Fault, isFault } from '../../kernel/fault.ts';
import { type BareRepository, findTrunk, type TrunkRow } from '../../support/repositories/index.ts';
import { acceptRun, getRun, holdSubmitted, type RunRow } from '../runs/index.ts';
import { completeTicket, getTicket, keepTicket, observeTicket, type TicketRow } from '../tickets/index.ts';
import { type Candidate, reviewCandidate } from './candidate.ts';
import { filesToCompare, flagChanges } from './model/flags.ts';
import { beginReview } from './open.ts';
import { flowScope, type ReviewParts } from './parts.ts';
import { insertReview, reviewsOfRun } from './reviews.sql.ts';
import { filesToRead } from './model/detect.ts';
import { sendBack, type SentBack, sendResolutionBack } from './send-back.ts';

interface Submission {
  readonly run: RunRow;
  readonly ticket: TicketRow;
  readonly trunk: TrunkRow & { readonly headSha: string };
  /** What the worker says that it handed in. */
  readonly head: string;
  readonly bundle: string;
}

/**
 * Takes in what a run of a ticket or of a conflict has handed in, and has it reviewed as it would land. Safe to run twice: the
 * second time finds the review.
 */
export async function reviewSubmission(parts: ReviewParts, tenantId: string, runId: string): Promise<void> {
  const { database, depot } = parts;
  const scope = flowScope(tenantId);
  const submission = await database.engine(scope, tx => readSubmission(tx, runId));
  if (submission === undefined) return;
  const { trunk, head } = submission;
  const repo = await depot.open(trunk.projectId, trunk.objectFormat);
  try {
    await takeIn(parts, repo, { runId, ticketId: submission.ticket.id, head, bundle: submission.bundle });
    failpoint('after-receive');
    const candidate = await reviewCandidate(repo, { base: trunk.headSha, head });
    failpoint('candidate-made');
    if (candidate === undefined) throw new Fault('invalid_bundle', { message: unrelated });
    if (await repo.history.isAncestor(head, trunk.headSha)) throw new Fault('invalid_bundle', { message: nothingNew });
    const changes = await repo.history.changes(candidate.base, candidate.commit);
    const touched = changes.files.flatMap(({ path, oldPath }) => (oldPath === undefined ? [path] : [path, oldPath]));
    await database.engine(scope, tx => observeTicket(tx, submission.ticket.id, touched));
    const flags = await findFlags(repo, trunk, { candidate, changes });
    failpoint('before-review-opened');
    await database.engine(scope, tx => openReview(tx, submission, { candidate, flags }));
  } catch (error) {
    if (!isFault(error, 'invalid_bundle')) throw error;
    await database.engine(scope, tx => refuseSubmission(tx, parts, { submission, reason: error.message }));
  }
}

const unrelated =
  'The work has no history in common with the branch that it is for: it must build on the commit that was checked out';

const unresolved = 'Nothing was handed in: a conflict is resolved by a commit that merges both sides';
const nothingNew = 'The work holds no commit that the branch that it is for has not already';

/** The submission of a run that still waits for its verdict. One that holds no commit is accepted here: there is nothing to review. */
async function readSubmission(tx: Tx, runId: string): Promise<Submission | undefined> {
  const run = await getRun(tx, runId);
  if (run.state !== 'submitted' || run.ticketId === null || run.result === null) return undefined;
  const { head, bundle } = run.result;
  if (head === undefined || bundle === undefined) {
    const sent = { ...refused(unresolved), runId: run.id, ticketId: run.ticketId };
    if (run.subjectType === 'conflict') await sendResolutionBack(tx, { ...sent, changeId: run.subjectId });
    else await acceptEmpty(tx, run.id);
    return undefined;
  }
  const ticket = await getTicket(tx, run.ticketId);
  const trunk = await findTrunk(tx, ticket);
  if (trunk === undefined || trunk.headSha === null) throw new Error(`${ticket.id} was handed in without a trunk`);
  const known = await tx.query(reviewsOfRun, [tx.tenantId, trunk.id, run.id]);
  return known.length > 0 ? undefined : { run, ticket, trunk: { ...trunk, headSha: trunk.headSha }, head, bundle };
}

async function acceptEmpty(tx: Tx, runId: string): Promise<void> {
  const run = await holdSubmitted(tx, runId);
  const ticketId = run?.ticketId ?? undefined;
  if (ticketId === undefined || (await completeTicket(tx, ticketId, 'unproven')) === undefined) return;
  await acceptRun(tx, runId);
}

export interface HandedIn {
  readonly runId: string;
  readonly ticketId: string;
  /** What the bundle is said to hold; undefined where nobody said it. */
  readonly head: string | undefined;
  readonly bundle: string;
}

/**
 * Fetches the bundle, which must hold the commit that was named, under a ref of the run's own; answers that commit. Throws Fault `invalid_bundle`,
 * `disk_full`. To repeat it is fine.
 */
export async function takeIn(
  { blobs }: Pick<ReviewParts, 'blobs'>,
  repo: BareRepository,
  { runId, ticketId, head, bundle }: HandedIn,
): Promise<string> {
  if (head !== undefined && (await repo.refs.read(`refs/skep/runs/${runId}`)) === head) return head;
  const source = await blobs.read(bundle);
  const received = await repo.transfer.receive({ source, branch: `skep/${ticketId}`, ref: `refs/skep/runs/${runId}` });
  if (head !== undefined && received !== head)
    throw new Fault('invalid_bundle', { message: `The bundle holds ${received} and not ${head}` });
  return received;
}

type Changes = Awaited<ReturnType<BareRepository['history']['changes']>>;

/** What would land that a person should see: compared with the base, whose checks and tests judge the work. */
async function findFlags(
  repo: BareRepository,
  trunk: TrunkRow,
  { candidate: { commit, base }, changes: { files, isComplete } }: { candidate: Candidate; changes: Changes },
): Promise<Flag[]> {
  const steering = filesToRead((await repo.objects.listFiles(base, { max: filesMax })).files.map(file => file.path));
  const paths = [...new Set([...steering, ...filesToCompare(files)])];
  const flags = flagChanges({
    changed: files,
    checks: trunk.checks,
    baseFiles: await repo.objects.readFiles(base, paths),
    headFiles: await repo.objects.readFiles(commit, paths),
  });
  return isComplete ? flags : [{ kind: 'checks', path: null, what: 'more files were changed than can be looked at' }, ...flags];
}

const filesMax = 200_000;

async function openReview(
  tx: Tx,
  { run, ticket, trunk, head }: Submission,
  { candidate, flags }: { candidate: Candidate; flags: readonly Flag[] },
): Promise<void> {
  // Of two jobs that think of it at once the second finds the first's review.
  if ((await holdSubmitted(tx, run.id)) === undefined) return;
  // Kept: cancelled in between, the review's run would wait in the queue for ever.
  const status = (await keepTicket(tx, ticket.id))?.status;
  if (status !== 'verifying' && status !== 'merging') return;
  if ((await tx.query(reviewsOfRun, [tx.tenantId, trunk.id, run.id])).length > 0) return;
  const shas = [head, candidate.base, candidate.commit];
  const values = [tx.tenantId, 'submission', trunk.id, ticket.id, run.id, ...shas, JSON.stringify(flags)];
  const [review] = await tx.query(insertReview, values);
  if (review === undefined) return;
  await beginReview(tx, review, trunk);
}

async function refuseSubmission(
  tx: Tx,
  { settings }: ReviewParts,
  { submission: { run, ticket }, reason }: { submission: Submission; reason: string },
): Promise<void> {
  const sent = { ...refused(reason), runId: run.id, ticketId: ticket.id };
  if (run.subjectType === 'conflict') await sendResolutionBack(tx, { ...sent, changeId: run.subjectId });
  else await sendBack(tx, settings, { ...sent, reason });
}

/** What is wrong with what could not even be reviewed: the next attempt begins where this one did. */
function refused(reason: string): Pick<SentBack, 'checks' | 'rejection' | 'resumeSha'> {
  return { checks: [], rejection: { reason, flags: [] }, resumeSha: null };
}
