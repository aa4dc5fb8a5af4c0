import type { Tx } from '../../db/database.ts';
import { getProject } from '../../support/projects/index.ts';
import { holdTrunk, reserve, type TrunkRow } from '../../support/repositories/index.ts';
import { getReview, type ReviewSettings } from '../reviews/index.ts';
import { countReturns, finishingChain, getRun, queueSubject } from '../runs/index.ts';
import { failTicket, getTicket } from '../tickets/index.ts';
import { type ChangeRow, conflictChangeRow } from './changes.sql.ts';
import { announceChange, getChange, takeBackChange } from './verbs.ts';

interface Conflict {
  readonly trunk: TrunkRow;
  readonly change: ChangeRow;
  readonly files: readonly string[];
}

/** The work does not merge with what landed meanwhile: an agent gets both sides, and the next change may go. */
export async function queueConflict(tx: Tx, { trunk, change, files }: Conflict): Promise<void> {
  const [conflict] = await tx.query(conflictChangeRow, [tx.tenantId, change.id, JSON.stringify(files), trunk.headSha]);
  if (conflict === undefined) return;
  await reserve(tx, trunk.id, null);
  announceChange(tx, conflict, { type: 'change.conflict', files, with: trunk.headSha });
  await queueResolution(tx, conflict, trunk);
}

/**
 * What a review found wanting: a conflict that was resolved badly is resolved again, with what was wrong; all other work is on its
 * way back to its ticket, and its change leaves the queue.
 */
export async function takeBackWork(tx: Tx, reviewId: string, settings: ReviewSettings): Promise<void> {
  const { kind, runId } = await getReview(tx, reviewId);
  const run = runId === null ? undefined : await getRun(tx, runId);
  if (kind === 'submission' && run?.subjectType === 'conflict') await resolveAgain(tx, run.subjectId, settings);
  else await takeBackChange(tx, reviewId);
}

/** Queues the resolution of a conflict that nobody works on; after the last round its ticket is failed. */
export async function resolveAgain(tx: Tx, changeId: string, { roundsMax }: ReviewSettings): Promise<void> {
  const trunk = await holdTrunk(tx, (await getChange(tx, changeId)).trunkId);
  const change = await getChange(tx, changeId);
  if (change.state !== 'conflict') return;
  const rounds = await countReturns(tx, { type: 'conflict', id: changeId, limit: roundsMax });
  if (rounds < roundsMax) await queueResolution(tx, change, trunk);
  else await failTicket(tx, change.ticketId, `its conflict with what landed meanwhile was not resolved in ${rounds} rounds`);
}

/** No run could resolve it, however often it was tried. */
export async function giveUpConflict(tx: Tx, changeId: string, reason: string): Promise<void> {
  const { state, ticketId } = await getChange(tx, changeId);
  if (state === 'conflict') await failTicket(tx, ticketId, `its conflict with what landed meanwhile was not resolved: ${reason}`);
}

async function queueResolution(tx: Tx, change: ChangeRow, { projectId, objectFormat, headSha }: TrunkRow): Promise<void> {
  const ticket = await getTicket(tx, change.ticketId);
  const { agent } = await getProject(tx, projectId);
  if (headSha === null) return;
  await queueSubject(tx, {
    type: 'conflict',
    id: change.id,
    ticketId: ticket.id,
    ticketStatus: 'merging',
    priority: ticket.priority,
    chain: finishingChain,
    requires: ['conflicts', ...(agent === null ? [] : [`agent:${agent.kind}`])],
    task: { projectId, objectFormat, commit: change.headSha, merge: headSha },
    waitMs: 0,
  });
}
