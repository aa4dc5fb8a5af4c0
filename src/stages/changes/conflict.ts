import type { Tx } from '../../db/database.ts';
import { getProject } from '../../support/projects/index.ts';
import { holdTrunk, reserve, type TrunkRow } from '../../support/repositories/index.ts';
import type { ReviewSettings } from '../reviews/index.ts';
import {
  acceptRun,
  countResolutions,
  failWork,
  finishingChain,
  getRun,
  placeOf,
  queueSubject,
  submittedRunOf,
} from '../runs/index.ts';
import { keepTicket } from '../tickets/index.ts';
import { type ChangeRow, conflictChangeRow } from './changes.sql.ts';
import { announceChange, getChange } from './verbs.ts';

interface Conflict {
  readonly trunk: TrunkRow;
  readonly change: ChangeRow;
  readonly files: readonly string[];
}

/** The work does not merge with what landed meanwhile: an agent gets both sides, and the next change may go. */
export async function queueConflict(tx: Tx, { trunk, change, files }: Conflict, settings: ReviewSettings): Promise<void> {
  const [conflict] = await tx.query(conflictChangeRow, [tx.tenantId, change.id, JSON.stringify(files), trunk.headSha]);
  if (conflict === undefined) return;
  await reserve(tx, trunk.id, null);
  // An earlier conflict of this work was resolved well: its run is over, or it would stand in the way of the next.
  const { id, subjectType } = await getRun(tx, change.runId);
  if (subjectType === 'conflict') await acceptRun(tx, id);
  announceChange(tx, conflict, { type: 'change.conflict', files, with: trunk.headSha });
  await queueResolution(tx, { change: conflict, trunk }, settings);
}

/** Queues the resolution of a conflict that nobody works on; after the last round its ticket is failed. */
export async function resolveAgain(tx: Tx, changeId: string, settings: ReviewSettings): Promise<void> {
  const trunk = await holdTrunk(tx, (await getChange(tx, changeId)).trunkId);
  const change = await getChange(tx, changeId);
  const work = await submittedRunOf(tx, change.ticketId);
  if (change.state !== 'conflict' || work === undefined) return;
  const rounds = await countResolutions(tx, changeId, work);
  if (rounds < settings.roundsMax) await queueResolution(tx, { change, trunk }, settings);
  else await failWork(tx, change.ticketId, `its conflict with what landed meanwhile was not resolved in ${rounds} rounds`);
}

/** No run could resolve it, however often it was tried. */
export async function giveUpConflict(tx: Tx, changeId: string, reason: string): Promise<void> {
  const { state, ticketId } = await getChange(tx, changeId);
  if (state === 'conflict') await failWork(tx, ticketId, `its conflict with what landed meanwhile was not resolved: ${reason}`);
}

async function queueResolution(
  tx: Tx,
  { change, trunk: { projectId, objectFormat, baseSha, headSha } }: Pick<Conflict, 'change' | 'trunk'>,
  settings: ReviewSettings,
): Promise<void> {
  // Kept: cancelled in between, the run would wait in the queue for ever.
  const ticket = await keepTicket(tx, change.ticketId);
  if (ticket?.status !== 'merging') return;
  if (headSha === null) return;
  const queued = { project: await getProject(tx, projectId), type: ticket.type, waitMs: 0 };
  const { requires, template } = await placeOf(tx, queued, settings);
  await queueSubject(tx, {
    type: 'conflict',
    id: change.id,
    ticketId: ticket.id,
    ticketStatus: 'merging',
    priority: ticket.priority,
    chain: finishingChain,
    requires: ['conflicts', ...requires],
    template,
    task: { projectId, objectFormat, commit: change.headSha, merge: headSha, ...(baseSha === null ? {} : { origin: baseSha }) },
    waitMs: 0,
  });
}
