import type { RunTask } from '../../../../contract/runs.ts';
import type { Tx } from '../../../db/database.ts';
import { findTrunk } from '../../../support/repositories/index.ts';
import type { TicketRow } from '../../tickets/index.ts';
import { lastReturnedRun, type RunRow } from '../runs.sql.ts';

/** What the holder of a run is to do, and with which commit of which project. */
export async function taskOf(tx: Tx, run: RunRow, ticket: TicketRow | null): Promise<{ projectId: string; task: RunTask }> {
  if (run.task === null) {
    if (ticket === null) throw new Error(`run ${run.id} has neither a task nor a ticket`);
    return { projectId: ticket.projectId, task: await ticketTask(tx, ticket) };
  }
  const { projectId, objectFormat, commit, merge = null, checks = [] } = run.task;
  return { projectId, task: { commit, object_format: objectFormat, merge, checks, feedback: await feedbackOn(tx, run) } };
}

/** From where the trunk is now; or, after a review that wanted more, from what was handed in, merged with what landed meanwhile. */
async function ticketTask(tx: Tx, ticket: TicketRow): Promise<RunTask> {
  const trunk = await findTrunk(tx, ticket);
  if (trunk === undefined || trunk.headSha === null) throw new Error(`${ticket.id} was queued without a trunk`);
  const [last] = await tx.query(lastReturnedRun, [tx.tenantId, 'ticket', ticket.id]);
  return {
    commit: last?.resumeSha ?? trunk.headSha,
    object_format: trunk.objectFormat,
    merge: null,
    checks: [],
    feedback: last?.feedback ?? null,
  };
}

async function feedbackOn(tx: Tx, { subjectType, subjectId }: RunRow): Promise<RunTask['feedback']> {
  if (subjectType !== 'conflict') return null;
  const [last] = await tx.query(lastReturnedRun, [tx.tenantId, subjectType, subjectId]);
  return last?.feedback ?? null;
}
