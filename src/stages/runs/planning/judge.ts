import type { Tx } from '../../../db/database.ts';
import { holdSession, type SessionRow } from '../../sessions/index.ts';
import {
  afterPhase,
  askPerson,
  beginPhase,
  countTry,
  findSpecOfSession,
  holdPlanning,
  keepPlan,
  type PlanningRow,
  presentPlan,
  stopPlanning,
} from '../../specs/index.ts';
import type { RunRow } from '../runs.sql.ts';
import { acceptRun, getRun, holdSubmitted, returnRun } from '../verbs.ts';
import { cardOfPlan, planOfRequirements, withDesign, withTasks } from './model/plan.ts';
import { type GoodOutput, judgeOutput } from './model/quality.ts';
import { ofSubject, subjectOf } from './model/subject.ts';
import { feedbackText, questionsText } from './model/texts.ts';
import { withdraw } from './plan.ts';
import { liveRunOfPhase } from './planning.sql.ts';
import { queuePhase } from './queue.ts';

/** How often the output of one phase is looked at before a person is asked to look. */
const triesMax = 3;

/** Looks at what a phase has handed in. Good: the next phase is queued in the same commit; not good: it is tried again, and told why. */
export async function judgePhase(tx: Tx, runId: string): Promise<void> {
  const { subjectId, state } = await getRun(tx, runId);
  if (state !== 'submitted') return;
  const { sessionId } = ofSubject(subjectId);
  await withdraw(tx, sessionId);
  const run = await holdSubmitted(tx, runId);
  const planning = await holdPlanning(tx, sessionId);
  if (run === undefined || planning === undefined) return;
  const session = await holdSession(tx, sessionId);
  // What has ended or begun anew while the rows were waited for has its runs withdrawn by a job of its own.
  if (!isAwaited(run, { session, planning })) return;
  const plan = (await findSpecOfSession(tx, sessionId))?.plan ?? null;
  const requirementIds = (plan?.requirements ?? []).map(({ id }) => id);
  const judgement = judgeOutput(planning.phase, run.result?.output ?? {}, requirementIds);
  if (judgement.ok) {
    await acceptRun(tx, runId);
    await advance(tx, { session, planning, good: judgement.good });
  } else {
    await sendBack(tx, { session, planning, run, findings: judgement.findings });
  }
}

/** No run could be brought to its end, however often it was tried. Of what has begun anew meanwhile nothing is known. */
export async function giveUpPhase(tx: Tx, runId: string, reason: string): Promise<void> {
  const { subjectId, createdAt } = await getRun(tx, runId);
  const { sessionId, phase } = ofSubject(subjectId);
  const planning = await holdPlanning(tx, sessionId);
  if (planning?.state !== 'working' || planning.phase !== phase || createdAt < planning.begunAt) return;
  const session = await holdSession(tx, sessionId);
  if (session.state !== 'clarifying') return;
  const [live] = await tx.query(liveRunOfPhase, [tx.tenantId, subjectOf(sessionId, phase)]);
  if (live === undefined) await stopPlanning(tx, session, { phase, reason });
}

interface Standing {
  readonly session: SessionRow;
  readonly planning: PlanningRow;
}

function isAwaited({ subjectId, createdAt }: RunRow, { session, planning }: Standing): boolean {
  const { state, phase, begunAt } = planning;
  return session.state === 'clarifying' && state === 'working' && phase === ofSubject(subjectId).phase && createdAt >= begunAt;
}

async function advance(tx: Tx, { session, planning, good }: Standing & { good: GoodOutput }): Promise<void> {
  const questions = good.phase === 'CLARIFY' ? good.output.questions : [];
  await keep(tx, session, good);
  const after = afterPhase(good.phase, { questions: questions.length, rounds: planning.rounds });
  if (after === 'present') return present(tx, session);
  if (after === 'ask') {
    if (good.phase === 'CLARIFY') await askPerson(tx, session, { text: questionsText(good.output), questions });
    return;
  }
  await queuePhase(tx, session, await beginPhase(tx, session, { phase: after, isFresh: false }));
}

/** What the phase has come to becomes a part of the spec. */
async function keep(tx: Tx, { id }: SessionRow, good: GoodOutput): Promise<void> {
  if (good.phase === 'CLARIFY') return;
  if (good.phase === 'REQUIREMENTS') return keepPlan(tx, id, { plan: planOfRequirements(good.output), name: good.output.name });
  const plan = (await findSpecOfSession(tx, id))?.plan ?? null;
  if (plan === null) throw new Error('a phase was planned on requirements that are gone');
  await keepPlan(tx, id, { plan: good.phase === 'DESIGN' ? withDesign(plan, good.output) : withTasks(plan, good.output) });
}

async function present(tx: Tx, { id }: SessionRow): Promise<void> {
  const { name = '', plan = null } = (await findSpecOfSession(tx, id)) ?? {};
  if (plan === null) throw new Error('a plan that is complete is gone');
  await presentPlan(tx, id, { card: cardOfPlan(name, plan), plan });
}

async function sendBack(
  tx: Tx,
  { session, planning, run, findings }: Standing & { run: RunRow; findings: readonly string[] },
): Promise<void> {
  const { phase } = planning;
  const tries = await countTry(tx, session.id);
  const text = feedbackText(phase, findings);
  await returnRun(tx, run.id, { feedback: { round: tries, text, checks: [] }, resumeSha: null });
  if (tries < triesMax) await queuePhase(tx, session, planning);
  else await stopPlanning(tx, session, { phase, reason: `The planner has tried ${tries} times. ${text}` });
}
