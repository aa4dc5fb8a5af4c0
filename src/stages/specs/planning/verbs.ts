import type { PlanningPhase, Question, SpecPlan } from '../../../../contract/talk/planning.ts';
import type { SpecCard } from '../../../../contract/spec-card.ts';
import type { Tx } from '../../../db/database.ts';
import { Fault } from '../../../kernel/fault.ts';
import { move } from '../../../kernel/machine.ts';
import { getProject } from '../../../support/projects/index.ts';
import {
  announceSession,
  answerSession,
  holdSession,
  listMessages,
  rejectSession,
  sayIn,
  type SessionRow,
} from '../../sessions/index.ts';
import { generateStep, nextStep } from '../model/dispatch.ts';
import { keepPlanRow, planSpecRow, type SpecRow } from '../specs.sql.ts';
import { specMachine } from '../model/spec.ts';
import { findSpecOfSession, presentCard } from '../verbs.ts';
import {
  beginPhaseRow,
  countPlanningTry,
  endPlanningRow,
  openPlanningRow,
  planningForUpdate,
  type PlanningRow,
  planningsOfSessions,
  restPlanningRow,
  setPlanningBase,
} from './planning.sql.ts';

/** What a session is to be planned for that was just opened, in a project that has a planner: it begins with questions. */
export async function openPlanning(tx: Tx, session: SessionRow): Promise<void> {
  const { planner } = await getProject(tx, session.projectId);
  if (planner !== null) await tx.query(openPlanningRow, [tx.tenantId, session.id, 'CLARIFY']);
}

/**
 * A person wants the spec now: open questions are answered by their defaults, and what has stopped is tried again. Said again while
 * it is being made it changes nothing. Throws Fault `session_not_found`, `no_model` of a project without a planner, `wrong_state`.
 */
export async function generateSpec(tx: Tx, sessionId: string): Promise<{ session: SessionRow; spec: SpecRow | undefined }> {
  const planning = await holdPlanning(tx, sessionId);
  const session = await holdSession(tx, sessionId);
  const project = await getProject(tx, session.projectId);
  if (project.planner === null) throw noPlanner(project.name);
  if (session.state !== 'clarifying') {
    throw new Fault('wrong_state', {
      message: `A session that is ${session.state} cannot be planned`,
      facts: { currentState: session.state },
    });
  }
  const phase = generateStep(planning, await isBegunAgain(tx, planning));
  if (planning === undefined) await tx.query(openPlanningRow, [tx.tenantId, sessionId, 'REQUIREMENTS']);
  if (phase !== undefined) await beginPhase(tx, session, { phase, isFresh: planning?.state !== 'asking' });
  return { session, spec: await findSpecOfSession(tx, sessionId) };
}

/** Whether the phase was begun again after it had stopped, and nobody has said anything since. */
async function isBegunAgain(tx: Tx, planning: PlanningRow | undefined): Promise<boolean> {
  if (planning?.state !== 'working') return false;
  const messages = await listMessages(tx, planning.sessionId);
  return (
    messages.findLast(({ author }) => author !== 'person')?.author === 'planner' &&
    !messages.some(({ author, createdAt }) => author === 'person' && createdAt >= planning.begunAt)
  );
}

/** A person says something; what was asked counts as answered by it, and planning goes on. */
export async function respondTo(tx: Tx, sessionId: string, text: string): Promise<SessionRow> {
  const planning = await holdPlanning(tx, sessionId);
  const session = await answerSession(tx, sessionId, text);
  await moveOn(tx, session, { planning, isAnswered: true });
  return session;
}

/** A person sends a spec back; what was planned is planned again, with the reason. */
export async function rejectSpec(tx: Tx, sessionId: string, reason: string): Promise<SessionRow> {
  const planning = await holdPlanning(tx, sessionId);
  const session = await rejectSession(tx, sessionId, reason);
  await moveOn(tx, session, { planning, isAnswered: false });
  return session;
}

/** Begins the phase that is due, if one is. The caller holds the planning. */
export async function moveOn(
  tx: Tx,
  session: SessionRow,
  { planning, isAnswered }: { planning: PlanningRow | undefined; isAnswered: boolean },
): Promise<PlanningRow | undefined> {
  const step = nextStep({ session: session.state, planning, isAnswered });
  if (step.kind !== 'begin') return planning;
  // After an answer it is the repository that was asked about; after a rejection another look is due.
  return beginPhase(tx, session, { phase: step.phase, isFresh: planning?.state === 'done' });
}

/** Begins a phase, which the session's planning waits for from now on. `isFresh`: on what the repository holds now. */
export async function beginPhase(
  tx: Tx,
  session: SessionRow,
  { phase, isFresh }: { phase: PlanningPhase; isFresh: boolean },
): Promise<PlanningRow> {
  const [planning] = await tx.query(beginPhaseRow, [tx.tenantId, session.id, phase, isFresh]);
  if (planning === undefined) throw new Error('the planning of a session is gone');
  if (phase !== 'CLARIFY') await planSpec(tx, session, phase);
  announceSession(tx, session, { type: 'session.planning', phase });
  return planning;
}

/** The planning of a session, locked until the transaction ends; before the session itself. */
export async function holdPlanning(tx: Tx, sessionId: string): Promise<PlanningRow | undefined> {
  const [planning] = await tx.query(planningForUpdate, [tx.tenantId, sessionId]);
  return planning;
}

/** Notes the commit that is planned on. Undefined where the planning has gone on meanwhile. */
export async function basePlanning(
  tx: Tx,
  { sessionId, begunAt }: Pick<PlanningRow, 'sessionId' | 'begunAt'>,
  base: { commit: string; objectFormat: PlanningRow['objectFormat'] },
): Promise<PlanningRow | undefined> {
  const [planning] = await tx.query(setPlanningBase, [tx.tenantId, sessionId, begunAt, base.commit, base.objectFormat]);
  return planning;
}

/** The output of the present phase was sent back once more; how often that was. */
export async function countTry(tx: Tx, sessionId: string): Promise<number> {
  const [planning] = await tx.query(countPlanningTry, [tx.tenantId, sessionId]);
  return planning?.tries ?? 0;
}

/** Asks a person, who may answer or say that the defaults will do. */
export async function askPerson(
  tx: Tx,
  session: SessionRow,
  { text, questions }: { text: string; questions: readonly Question[] },
): Promise<void> {
  await sayIn(tx, session.id, { author: 'clarifier', text, questions });
  await tx.query(restPlanningRow, [tx.tenantId, session.id, 'asking', 1, null]);
  announceSession(tx, session, { type: 'session.asked', questionCount: questions.length });
}

/** Planning cannot go on by itself: a person is told why. */
export async function stopPlanning(
  tx: Tx,
  session: SessionRow,
  { phase, reason }: { phase: PlanningPhase; reason: string },
): Promise<void> {
  const short = reason.slice(0, reasonLengthMax);
  await sayIn(tx, session.id, {
    author: 'planner',
    text: `Planning has stopped in the phase ${phase}. ${short}\n\nTo try again from there: skep session generate ${session.id.slice(0, 8)}`,
  });
  await tx.query(restPlanningRow, [tx.tenantId, session.id, 'stopped', 0, short]);
  announceSession(tx, session, { type: 'session.stalled', phase, reason: short });
}

const reasonLengthMax = 4_000;

/** Nobody waits for the plan any more: a card was handed in, or the session is over. */
export async function endPlanning(tx: Tx, { id, state }: SessionRow): Promise<void> {
  const reason = state === 'cancelled' ? 'the session was cancelled' : 'a spec card was handed in';
  await tx.query(endPlanningRow, [tx.tenantId, id, reason]);
}

/** Keeps what a phase has come to; with the name of the spec where it is known now. */
export async function keepPlan(
  tx: Tx,
  sessionId: string,
  { plan, name }: { plan: SpecPlan; name?: string | undefined },
): Promise<void> {
  await tx.query(keepPlanRow, [tx.tenantId, sessionId, JSON.stringify(plan), name ?? null]);
}

/** The plan is complete: its card is put before a person. */
export async function presentPlan(tx: Tx, sessionId: string, { card, plan }: { card: SpecCard; plan: SpecPlan }): Promise<void> {
  const { session } = await presentCard(tx, sessionId, { card, plan });
  const counted = `${plan.requirements.length} requirements and ${plan.tasks.length} tasks`;
  await sayIn(tx, sessionId, {
    author: 'planner',
    text: `The spec "${card.name}" is ready, with ${counted}. Approve it, or reject it with a reason and it is planned again.`,
  });
  await tx.query(restPlanningRow, [tx.tenantId, session.id, 'done', 0, null]);
}

/** The planning of each session that has one. */
export async function planningsOf(tx: Tx, sessionIds: readonly string[]): Promise<Map<string, PlanningRow>> {
  const rows = await tx.query(planningsOfSessions, [tx.tenantId, sessionIds]);
  return new Map(rows.map(row => [row.sessionId, row]));
}

/** The spec exists from here on, and shows the phase. */
async function planSpec(tx: Tx, { id, projectId, description }: SessionRow, phase: SpecRow['phase']): Promise<void> {
  const { to, from } = move(specMachine, 'plan');
  const name = (description.trim().split('\n')[0] ?? '').slice(0, nameLengthMax).trim() || 'spec';
  const [spec] = await tx.query(planSpecRow, [tx.tenantId, id, projectId, name, to, phase, [to, ...from]]);
  if (spec === undefined)
    throw new Fault('wrong_state', { message: 'The spec of this session is over and cannot be planned again' });
}

/** As long as a title may be. */
const nameLengthMax = 200;

function noPlanner(project: string): Fault {
  return new Fault('no_model', {
    message: `No model is configured: the project '${project}' has no planner`,
    hint: `Name one: skep project set ${project} --planner MODEL. Or hand in a spec card: {"spec_card": {…}}, skep session card ID card.json`,
  });
}
