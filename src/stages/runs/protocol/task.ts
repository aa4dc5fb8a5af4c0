import { conversationArtifact, type RunTask } from '../../../../contract/runs.ts';
import type { Tx } from '../../../db/database.ts';
import { decidedAsks } from '../../../support/questions/index.ts';
import { findTrunk } from '../../../support/repositories/index.ts';
import type { TicketRow } from '../../tickets/index.ts';
import { fence } from '../holder.ts';
import { askedSince, subjectOf } from '../parking/asked.ts';
import { lastVerdictOfPhase } from '../planning/planning.sql.ts';
import type { ClaimedRun } from '../queue/claim.ts';
import { continuedBefore } from '../recovery/recovery.sql.ts';
import { keepTaskRow, lastReturnedRun, type RunRow, type StoredTask } from '../runs.sql.ts';

/** What the holder of a run is to do, and with which commit of which project. */
export async function taskOf(tx: Tx, run: RunRow): Promise<{ projectId: string; task: RunTask }> {
  if (run.task === null) throw new Error(`run ${run.id} was claimed without a task`);
  const { projectId, objectFormat, commit, hasWork = false, merge = null, base = merge, origin = null } = run.task;
  const { checks = [], plan = null } = run.task;
  const feedback = await feedbackOn(tx, run);
  const continues = await continuedBy(tx, run);
  const told = { checks, plan, feedback, continues, answers: await answersOn(tx, run) };
  return { projectId, task: { commit, has_work: hasWork, object_format: objectFormat, merge, base, origin, ...told } };
}

/** Writes down what a ticket's run begins from, at its claim: the trunk may move on before the holder has fetched it. */
export async function keepTask(tx: Tx, { run, token }: ClaimedRun, ticket: TicketRow | null): Promise<RunRow> {
  if (run.task !== null || ticket === null) return run;
  const task = await ticketTask(tx, ticket);
  await tx.query(keepTaskRow, [...fence(tx.tenantId, { runId: run.id, token }), JSON.stringify(task)]);
  return { ...run, task };
}

/** From where the trunk is now; or, after a review that wanted more, from what was handed in, merged with what landed meanwhile. */
async function ticketTask(tx: Tx, ticket: TicketRow): Promise<StoredTask> {
  const trunk = await findTrunk(tx, ticket);
  if (trunk === undefined || trunk.headSha === null) throw new Error(`${ticket.id} was queued without a trunk`);
  const [last] = await tx.query(lastReturnedRun, [tx.tenantId, 'ticket', ticket.id]);
  const from = { commit: last?.resumeSha ?? trunk.headSha, ...(last?.hasWork === true ? { hasWork: true } : {}) };
  const ground = { base: trunk.headSha, ...(trunk.baseSha === null ? {} : { origin: trunk.baseSha }) };
  return { projectId: ticket.projectId, objectFormat: trunk.objectFormat, ...ground, ...from };
}

/** The attempt just before this one, from whose work this one goes on. */
async function continuedBy(tx: Tx, { subjectType, subjectId, attempt }: RunRow): Promise<RunTask['continues']> {
  const values = [subjectType, subjectId, attempt, conversationArtifact];
  const [before] = await tx.query(continuedBefore, [tx.tenantId, ...values]);
  return before === undefined ? null : { run_id: before.runId, conversation: before.conversation, ended: before.ended };
}

/** What a run is told of the last attempt. */
export async function feedbackOn(tx: Tx, { subjectType, subjectId }: RunRow): Promise<RunTask['feedback']> {
  if (subjectType === 'review') return null;
  // A phase of planning is passed more than once: what was wrong before it was good is of no interest.
  if (subjectType === 'spec_phase') return (await tx.query(lastVerdictOfPhase, [tx.tenantId, subjectId]))[0]?.feedback ?? null;
  const [last] = await tx.query(lastReturnedRun, [tx.tenantId, subjectType, subjectId]);
  return last?.feedback ?? null;
}

/** What attempts at the same have asked people, and what holds. */
export async function answersOn(
  tx: Tx,
  run: Pick<RunRow, 'subjectType' | 'subjectId'>,
): Promise<NonNullable<RunTask['answers']>> {
  const decided = await decidedAsks(tx, subjectOf(run), await askedSince(tx, run));
  return decided.map(({ text, answer, state }) => ({ question: text, answer, is_default: state === 'expired' }));
}
