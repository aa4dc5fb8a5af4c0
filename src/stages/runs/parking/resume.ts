import type { Feedback } from '../../../../contract/reviews.ts';
import { isParking } from '../../../../contract/runs.ts';
import type { Tx } from '../../../db/database.ts';
import type { TrunkRow } from '../../../support/repositories/index.ts';
import { type Decision, getQuestion, pendingAsks, type QuestionRow, readAnswer } from '../../../support/questions/index.ts';
import { holdTicket, keepTicket, sendTicketBack, ticketWaitsOn } from '../../tickets/index.ts';
import { announceRun } from '../holder.ts';
import { askingHalt, subjectOf } from './asked.ts';
import { carryOn, type Remains, remainsOf, runToCarryOn, type TakenIn, withWork } from '../recovery/carry.ts';
import { haltEndedRow } from '../recovery/recovery.sql.ts';
import { requeueRun } from '../recovery/requeue.ts';
import { cancelRun, failWork } from '../verbs.ts';
import { holdRun, lastReturnedRun, type RunRow, runById, type StoredTask } from '../runs.sql.ts';
import { tellAnswer } from '../model/told.ts';
import { hangingRun, resumedWork, resumeRunRow, runsOfQuestion } from './parking.sql.ts';

/** The runs that a question holds up. */
export async function runsHeldUpBy(tx: Tx, questionId: string): Promise<string[]> {
  return (await tx.query(runsOfQuestion, [tx.tenantId, questionId])).map(({ id }) => id);
}

/** A run from whose work the next attempt may go on. */
export interface Resumable {
  readonly run: RunRow;
  readonly remains: Remains | undefined;
}

/** Undefined where a run broke off without leaving anything, hangs on a question that waits, or must end. */
export async function runToResume(tx: Tx, runId: string): Promise<Resumable | undefined> {
  const [run] = await tx.query(runById, [tx.tenantId, runId]);
  const decided = run === undefined ? undefined : await decisionOn(tx, run);
  if (run === undefined || decided === undefined) return runToCarryOn(tx, runId);
  return decided.decision.kind === 'stop' ? undefined : { run, remains: await remainsOf(tx, run) };
}

/**
 * The next attempt goes on from the work of a run that broke off, or of which a person has decided; or its ticket is failed. `taken`
 * is that work, once Skep has it; null: there is none. A run that goes on already, or whose question waits, is left as it is.
 */
export async function goOn(tx: Tx, runId: string, taken: TakenIn | null): Promise<void> {
  const run = (await tx.query(holdRun, [tx.tenantId, runId, ['parked', 'failed', 'lost', 'cancelled']]))[0];
  if (run === undefined) return;
  const decided = await decisionOn(tx, run);
  if (decided === undefined) return carryOn(tx, runId, taken);
  if (decided.decision.kind === 'stop') return end(tx, run, decided.question);
  if (await hangsOnAnother(tx, run)) return;
  if (run.state !== 'lost' || !isParking(run.halt?.kind)) return letGoOn(tx, run, { decision: decided.decision, taken });
  // What its machine still brings of it is taken up later: nothing may stand in its way.
  await sendBack(tx, run.subjectId);
  await carryOn(tx, runId, taken);
}

/** The bundles from which parked work is made again in the copy of a repository, in the order in which it was let go on. */
export function resumedWorkOf(
  tx: Tx,
  { projectId, specId }: Pick<TrunkRow, 'projectId' | 'specId'>,
): Promise<{ id: string; ticketId: string; bundle: string; at: Date }[]> {
  return tx.query(resumedWork, [tx.tenantId, projectId, specId]);
}

interface Decided {
  readonly question: QuestionRow;
  readonly decision: Decision;
}

/** Undefined where nothing hangs on it, or nobody has decided. */
async function decisionOn(tx: Tx, { id, halt }: RunRow): Promise<Decided | undefined> {
  if (halt?.questionId === undefined || (await tx.query(hangingRun, [tx.tenantId, id])).length === 0) return undefined;
  const question = await getQuestion(tx, halt.questionId);
  if (question.state === 'pending') return undefined;
  // Closed when nothing hung on it, by a word that this run was too late for: it tries again, and asks again where it must.
  const decision = question.state === 'expired' ? undefined : readAnswer(question.kind, question.answer ?? '');
  return { question, decision: decision ?? { kind: 'text', text: '' } };
}

/** An agent may have asked more than once before it ended its turn: what it asked last is answered before it goes on. */
async function hangsOnAnother(tx: Tx, run: RunRow): Promise<boolean> {
  if (run.halt?.kind !== 'question') return false;
  if (run.subjectType === 'ticket') await holdTicket(tx, run.subjectId);
  const [next] = await pendingAsks(tx, subjectOf(run));
  if (next === undefined) return false;
  const halt = askingHalt(next);
  await tx.query(haltEndedRow, [tx.tenantId, run.id, JSON.stringify(halt)]);
  announceRun(tx, run, { type: 'run.halted', halt: halt.kind, message: halt.message, questionId: next.id });
  if (run.subjectType === 'ticket') await ticketWaitsOn(tx, run.subjectId, halt.message);
  return true;
}

async function end(tx: Tx, run: RunRow, { kind }: QuestionRow): Promise<void> {
  const reason = `stopped by a person: ${run.halt?.message ?? kind}`;
  if (run.ticketId === null) await cancelRun(tx, run.id);
  else if (run.subjectType !== 'ticket' || (await isWaiting(tx, run.ticketId))) await failWork(tx, run.ticketId, reason);
}

async function letGoOn(tx: Tx, run: RunRow, { decision, taken }: { decision: Decision; taken: TakenIn | null }): Promise<void> {
  const [told] = await tx.query(lastReturnedRun, [tx.tenantId, run.subjectType, run.subjectId]);
  const feedback: Feedback = tellAnswer(told?.feedback ?? null, {
    halt: run.halt?.kind ?? 'budget',
    message: run.halt?.message ?? '',
    // What was asked is told with all the answers, and not twice.
    answer: decision.kind === 'text' && run.halt?.kind !== 'question' ? decision.text : '',
    hasWork: taken !== null,
  });
  // What ended without handing anything in began somewhere: the next one does too, where that was not simply the trunk.
  const resumeSha = taken?.head ?? (run.state === 'parked' ? null : (told?.resumeSha ?? null));
  const task = decision.kind === 'model' ? withModel(run.task, decision.model) : null;
  const values = [JSON.stringify(feedback), resumeSha, task === null ? null : JSON.stringify(task), withWork(run.result, taken)];
  const resumed = await tx.query(resumeRunRow, [tx.tenantId, run.id, ...values]);
  if (resumed.length === 0) return;
  if (run.state === 'parked')
    announceRun(tx, { ...run, state: 'returned' }, { type: 'run.returned', round: feedback.round, resumed: true });
  if (run.subjectType === 'ticket') await sendBack(tx, run.subjectId);
  // The resolution of a conflict is queued again by those who know of conflicts.
  else if (run.subjectType !== 'conflict') await requeueRun(tx, run, 0);
}

async function sendBack(tx: Tx, ticketId: string): Promise<void> {
  if (await isWaiting(tx, ticketId)) await sendTicketBack(tx, ticketId, 'a person has decided');
}

/** A ticket that was retried or cancelled by hand meanwhile goes its own way. */
async function isWaiting(tx: Tx, ticketId: string): Promise<boolean> {
  return (await keepTicket(tx, ticketId))?.status === 'waiting';
}

function withModel(task: StoredTask | null, model: string): StoredTask | null {
  return task?.plan === undefined ? task : { ...task, plan: { ...task.plan, model } };
}
