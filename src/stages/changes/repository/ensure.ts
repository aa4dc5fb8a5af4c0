import type { Tx } from '../../../db/database.ts';
import { Fault, isFault } from '../../../kernel/fault.ts';
import { getProject, type ProjectRow } from '../../../support/projects/index.ts';
import { type BareRepository, findTrunk, type TrunkRow } from '../../../support/repositories/index.ts';
import {
  flowScope,
  mergeCandidate,
  type ReviewParts,
  type ReviewRow,
  reviewsOfTrunk,
  reviewSubmission,
} from '../../reviews/index.ts';
import { getRun, resumedWorkOf } from '../../runs/index.ts';
import { getTicket } from '../../tickets/index.ts';
import { type ChangeRow, mergedChanges } from '../changes.sql.ts';

interface Lineage {
  readonly project: ProjectRow;
  readonly trunk: TrunkRow;
  readonly merged: readonly ChangeRow[];
  readonly handedIn: readonly HandedIn[];
}

/** Work that a run handed in, and what it was merged into for its review; parked work was reviewed by nobody. */
interface HandedIn {
  readonly runId: string | null;
  readonly ticketId: string | null;
  readonly bundle: string | undefined;
  readonly candidate: Pick<ReviewRow, 'baseSha' | 'headSha'> | undefined;
  readonly at: Date;
}

/** Whose commits are wanted: the work of a spec, or of a project's tickets without one. */
export interface Owner {
  readonly tenantId: string;
  readonly projectId: string;
  readonly specId: string | null;
}

const rebuildTimeoutMs = 900_000;

/**
 * The bare repository with this commit in it. It is a cache: on another server, or after its folder was lost, it is made again from
 * the user's repository, the bundles of the runs and those of the merges. Throws Fault `repository_unavailable` where that fails.
 */
export async function ensureCommits(parts: ReviewParts, owner: Owner, commits: readonly string[]): Promise<BareRepository> {
  const { trunk } = await findOwned(parts, owner);
  const repo = await parts.depot.open(owner.projectId, trunk.objectFormat);
  if (await hasAll(repo, commits)) return repo;
  await rebuild(parts, repo, await parts.database.request(flowScope(owner.tenantId), tx => readLineage(tx, trunk)));
  if (await hasAll(repo, commits)) return repo;
  throw new Fault('repository_unavailable', {
    message: `Skep's copy of the repository has lost ${commits.join(', ')} and cannot make it again`,
  });
}

/**
 * Has what a run handed in reviewed. It builds on commits of Skep's copy of the repository: where that was lost it is made again
 * first, or good work would be refused for what it lacks.
 */
export async function takeSubmission(parts: ReviewParts, tenantId: string, runId: string): Promise<void> {
  const wanted = await parts.database.request(flowScope(tenantId), async tx => {
    const { ticketId, task } = await getRun(tx, runId);
    const trunk = ticketId === null ? undefined : await findTrunk(tx, await getTicket(tx, ticketId));
    const commits = [trunk?.headSha ?? undefined, task?.commit].filter(commit => commit !== undefined);
    return trunk === undefined ? undefined : { trunk, commits };
  });
  if (wanted !== undefined) await ensureCommits(parts, wanted.trunk, wanted.commits);
  await reviewSubmission(parts, tenantId, runId);
}

async function findOwned({ database }: ReviewParts, owner: Owner): Promise<{ trunk: TrunkRow }> {
  const trunk = await database.request(flowScope(owner.tenantId), tx => findTrunk(tx, owner));
  if (trunk === undefined) throw new Fault('trunk_not_found');
  return { trunk };
}

async function hasAll({ objects }: BareRepository, [first, ...others]: readonly string[]): Promise<boolean> {
  return first === undefined || objects.has(first, ...others);
}

async function readLineage(tx: Tx, trunk: TrunkRow): Promise<Lineage> {
  const merged = await tx.query(mergedChanges, [tx.tenantId, trunk.id]);
  const handedIn: HandedIn[] = [];
  for (const review of await reviewsOfTrunk(tx, trunk.id)) {
    const { runId, ticketId, createdAt: at } = review;
    const result = runId === null ? null : (await getRun(tx, runId)).result;
    handedIn.push({ runId, ticketId, bundle: result?.bundle, candidate: review, at });
  }
  for (const { id, ...parked } of await resumedWorkOf(tx, trunk)) handedIn.push({ runId: id, candidate: undefined, ...parked });
  handedIn.sort((a, b) => a.at.getTime() - b.at.getTime());
  return { project: await getProject(tx, trunk.projectId), trunk, merged, handedIn };
}

/** In the order in which it came about: the base, what landed, and what was handed in on the way with its candidates. */
async function rebuild(parts: ReviewParts, repo: BareRepository, { project, trunk, merged, handedIn }: Lineage): Promise<void> {
  await fetchBase(parts, repo, { project, trunk });
  for (const { id, mergeBlob } of merged) {
    if (mergeBlob === null) continue;
    const source = await parts.blobs.read(mergeBlob);
    await repo.transfer.receive({ source, branch: trunk.branch, ref: `refs/skep/merges/${id}` });
  }
  for (const { runId, ticketId, bundle, candidate } of handedIn) {
    if (runId === null || ticketId === null || bundle === undefined) continue;
    const work = { branch: `skep/${ticketId}`, ref: `refs/skep/runs/${runId}`, bundle };
    // An attempt that broke off and whose work is lost holds up only what builds on it.
    if (candidate === undefined) await receive(parts, repo, work).catch(unlessGone);
    else {
      await receive(parts, repo, work);
      await mergeCandidate(repo, { base: candidate.baseSha, head: candidate.headSha });
    }
  }
}

async function receive(
  { blobs }: ReviewParts,
  repo: BareRepository,
  { bundle, ...to }: { readonly branch: string; readonly ref: string; readonly bundle: string },
): Promise<void> {
  await repo.transfer.receive({ source: await blobs.read(bundle), ...to });
}

function unlessGone(error: unknown): void {
  if (!isFault(error, 'blob_not_found') && !isFault(error, 'invalid_bundle')) throw error;
}

async function fetchBase(
  { upstream }: ReviewParts,
  repo: BareRepository,
  { project: { repository }, trunk: { baseSha } }: Pick<Lineage, 'project' | 'trunk'>,
): Promise<void> {
  if (baseSha === null || (await repo.merging.rootCommit()) === baseSha || (await repo.objects.has(baseSha))) return;
  if (repository === null) return;
  const signal = AbortSignal.timeout(rebuildTimeoutMs);
  await upstream.fetch(repository, { gitDir: repo.gitDir, lock: repo.lock, ref: 'refs/skep/upstream', signal });
}
