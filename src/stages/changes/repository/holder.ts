import type { RunTask } from '../../../../contract/runs.ts';
import type { Scope, Tx } from '../../../db/database.ts';
import { getProject } from '../../../support/projects/index.ts';
import { type BareRepository, getTrunk } from '../../../support/repositories/index.ts';
import { getReview, type ReviewParts } from '../../reviews/index.ts';
import { ensurePlanBase, holdRunLease, type RunRow, taskOf } from '../../runs/index.ts';
import { getTicket } from '../../tickets/index.ts';
import { ensureCommits, type Owner } from './ensure.ts';

/** What the holder of a run may fetch, and from where. */
export interface Wanted {
  readonly repo: BareRepository;
  readonly wants: readonly string[];
}

/**
 * The commits of a run's task, in a copy of the repository that has them. The lease is looked at with every request: who has lost it gets
 * nothing more. Throws Fault `lease_lost`, `run_not_found`, `repository_unavailable`.
 */
export async function commitsOfHolder(
  parts: ReviewParts,
  caller: Scope,
  { service, ...holder }: { service: 'advertise' | 'rpc'; runId: string; token: string },
): Promise<Wanted> {
  const run = await holdRunLease(parts.database, { ...caller, holder });
  const { owner, task } = await parts.database.request(caller, async tx => {
    const { projectId, task } = await taskOf(tx, run);
    return { owner: await ownerOf(tx, run, projectId), task };
  });
  if (run.subjectType === 'spec_phase')
    return { repo: await openForPlan(parts, caller, { projectId: owner.projectId, task }), wants: [task.commit] };
  const wants = [...new Set([task.commit, task.merge, task.base, task.origin].filter(commit => typeof commit === 'string'))];
  // The first of two requests only says what this server can do.
  const repo =
    service === 'advertise'
      ? await parts.depot.open(owner.projectId, task.object_format)
      : await ensureCommits(parts, owner, wants);
  return { repo, wants };
}

/** A base that is reviewed is no ticket's; it was prepared by a server which may not be this one. */
async function ownerOf(tx: Tx, run: RunRow, projectId: string): Promise<Owner> {
  const { tenantId } = tx;
  if (run.ticketId !== null) return { tenantId, projectId, specId: (await getTicket(tx, run.ticketId)).specId };
  if (run.subjectType !== 'review') return { tenantId, projectId, specId: null };
  const { specId } = await getTrunk(tx, (await getReview(tx, run.subjectId)).trunkId);
  return { tenantId, projectId, specId };
}

/** A plan is made before there is a trunk: on the user's own commit, which can be fetched again. */
async function openForPlan(
  parts: ReviewParts,
  caller: Scope,
  { projectId, task }: { projectId: string; task: RunTask },
): Promise<BareRepository> {
  const project = await parts.database.request(caller, tx => getProject(tx, projectId));
  return ensurePlanBase(parts, project, { commit: task.commit, objectFormat: task.object_format });
}
