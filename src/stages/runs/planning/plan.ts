import { planningPhases } from '../../../../contract/runs.ts';
import type { Database, Tx } from '../../../db/database.ts';
import { isFault } from '../../../kernel/fault.ts';
import { getProject, type ProjectRow } from '../../../support/projects/index.ts';
import { holdSession, listMessages, type SessionRow } from '../../sessions/index.ts';
import { basePlanning, endPlanning, holdPlanning, moveOn, nextStep, type PlanningRow, stopPlanning } from '../../specs/index.ts';
import { announceRun } from '../holder.ts';
import { closeQuestionOf } from '../parking/close.ts';
import { runById } from '../runs.sql.ts';
import { type Sources, fetchPlanBase } from './fetch.ts';
import { subjectOf } from './model/subject.ts';
import { liveRunOfPhase, withdrawPlanningRuns } from './planning.sql.ts';
import { queuePhase } from './queue.ts';

export interface PlanningParts extends Sources {
  readonly database: Database;
}

/**
 * Does what is next in the planning of a session, by the state that it finds: begins a phase, has its run queued, or ends what
 * nobody waits for. The repository is fetched between two transactions. Safe to run twice, and at once.
 */
export async function planSession(parts: PlanningParts, tenantId: string, sessionId: string): Promise<void> {
  const scope = { tenantId, actor: 'flow' };
  const wanted = await parts.database.engine(scope, tx => step(tx, sessionId));
  if (wanted === undefined) return;
  const { planning } = wanted;
  try {
    const base = await fetchPlanBase(parts, wanted.project);
    await parts.database.engine(scope, async tx => {
      const session = await holdPlanned(tx, sessionId);
      const based = session && (await basePlanning(tx, planning, base));
      if (session !== undefined && based !== undefined) await queuePhase(tx, session, based);
    });
  } catch (error) {
    if (!isFault(error, 'repository_unavailable')) throw error;
    const reason = [error.message, ...(error.hint === undefined ? [] : [error.hint])].join('. ');
    await parts.database.engine(scope, tx => stopIfStill(tx, planning, reason));
  }
}

interface Wanted {
  readonly planning: PlanningRow;
  readonly project: ProjectRow;
}

/** All that can be done in one transaction; answers what must be fetched before it can go on. */
async function step(tx: Tx, sessionId: string): Promise<Wanted | undefined> {
  // Runs are locked before all else.
  await withdraw(tx, sessionId);
  const planning = await holdPlanning(tx, sessionId);
  if (planning === undefined) return undefined;
  const session = await holdSession(tx, sessionId);
  const standing = { planning, isAnswered: await isAnswered(tx, planning) };
  const { kind } = nextStep({ session: session.state, ...standing });
  if (kind === 'end') {
    await endPlanning(tx, session);
    await withdraw(tx, sessionId);
  }
  if (kind !== 'work' && kind !== 'begin') return undefined;
  return work(tx, session, (await moveOn(tx, session, standing)) ?? planning);
}

async function work(tx: Tx, session: SessionRow, planning: PlanningRow): Promise<Wanted | undefined> {
  const [live] = await tx.query(liveRunOfPhase, [tx.tenantId, subjectOf(session.id, planning.phase)]);
  if (live !== undefined) return undefined;
  if (planning.baseSha === null) return { planning, project: await getProject(tx, session.projectId) };
  await queuePhase(tx, session, planning);
  return undefined;
}

async function isAnswered(tx: Tx, { sessionId, state }: PlanningRow): Promise<boolean> {
  if (state !== 'asking') return false;
  const messages = await listMessages(tx, sessionId);
  const asked = messages.findLastIndex(({ questions }) => questions !== null);
  return messages.slice(asked + 1).some(({ author }) => author === 'person');
}

/** The session, with its planning locked before it; undefined where it is not planned any more. */
async function holdPlanned(tx: Tx, sessionId: string): Promise<SessionRow | undefined> {
  const planning = await holdPlanning(tx, sessionId);
  const session = await holdSession(tx, sessionId);
  return planning?.state === 'working' && session.state === 'clarifying' ? session : undefined;
}

async function stopIfStill(tx: Tx, { sessionId, phase, begunAt }: PlanningRow, reason: string): Promise<void> {
  const now = await holdPlanning(tx, sessionId);
  const session = await holdSession(tx, sessionId);
  if (now?.state !== 'working' || now.begunAt.getTime() !== begunAt.getTime() || session.state !== 'clarifying') return;
  await stopPlanning(tx, session, { phase, reason });
}

/** Ends the runs that the planning does not wait for; their holders learn it from their next write. */
export async function withdraw(tx: Tx, sessionId: string): Promise<void> {
  const subjects = planningPhases.map(phase => subjectOf(sessionId, phase));
  for (const { id } of await tx.query(withdrawPlanningRuns, [tx.tenantId, sessionId, subjects])) {
    const [run] = await tx.query(runById, [tx.tenantId, id]);
    if (run === undefined) continue;
    announceRun(tx, run, { type: 'run.cancelled', why: 'its planning does not wait for it any more' });
    await closeQuestionOf(tx, run);
  }
}
