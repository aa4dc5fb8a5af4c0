import { createHash } from 'node:crypto';
import type { ReportAnswer, ReportInput } from '../../../contract/talk/report-back.ts';
import type { Database, Tx } from '../../db/database.ts';
import type { Clock } from '../../kernel/clock.ts';
import { Fault } from '../../kernel/fault.ts';
import type { RunContext, RunSettings } from '../../stages/runs/index.ts';
import { countQuestionsOf, expireQuestion, findQuestion, openQuestion, type QuestionRow } from '../../support/questions/index.ts';
import { type Watched, watchQuestion } from './report-back.sql.ts';

export interface AskParts {
  readonly database: Database;
  readonly clock: Clock;
  readonly settings: Pick<RunSettings, 'questionMs'>;
  /** How many calls of each run wait for a person right now, on this server. */
  readonly waits: Map<string, number>;
}

/** How often a wait looks whether there is an answer, and whether anybody still waits. */
const lookMs = 500;
/** How often the agent is told that the wait goes on, so that neither it nor anything between cuts the connection. */
const tellMs = 5_000;
const questionsMax = 50;
/** Calls of one run that wait at once: an agent that sends the same one again and again gets no further. */
const waitsMax = 20;

export interface Waiting {
  readonly signal: AbortSignal;
  /** Called every few seconds with the seconds that were waited. */
  readonly onWait: (seconds: number) => void | Promise<void>;
}

/**
 * Asks a person and waits for the answer, or for the deadline and the default. The same question of the same run is one, however
 * often it is sent. Throws Fault `lease_lost` where the run ends meanwhile, `wrong_state` where it asks too much.
 */
export async function askHuman(
  parts: AskParts,
  run: RunContext,
  { asked, waiting }: { asked: ReportInput<'ask_human'>; waiting: Waiting },
): Promise<ReportAnswer> {
  const scope = { tenantId: run.tenantId, actor: `run:${run.runId}` };
  const question = await parts.database.engine(scope, tx => ask(tx, run, { asked, dueMs: parts.settings.questionMs }));
  if (question.state !== 'pending') return tell(question, asked.default);
  const decided = await counted(parts.waits, run.runId, () => waitFor(parts, { ...scope, id: question.id }, waiting));
  return tell(decided, asked.default);
}

async function counted<T>(waits: Map<string, number>, runId: string, wait: () => Promise<T>): Promise<T> {
  const before = waits.get(runId) ?? 0;
  if (before >= waitsMax) throw new Fault('wrong_state', { message: `${waitsMax} calls of this run wait for a person already` });
  waits.set(runId, before + 1);
  try {
    return await wait();
  } finally {
    const left = (waits.get(runId) ?? 1) - 1;
    if (left === 0) waits.delete(runId);
    else waits.set(runId, left);
  }
}

async function ask(
  tx: Tx,
  run: RunContext,
  { asked, dueMs }: { asked: ReportInput<'ask_human'>; dueMs: number },
): Promise<QuestionRow> {
  const subject = { type: 'run', id: run.runId };
  const key = createHash('sha256')
    .update(JSON.stringify([asked.question, asked.options ?? [], asked.default ?? null]))
    .digest('hex');
  const before = await findQuestion(tx, { kind: 'ask', subject, key });
  if (before !== undefined) return before;
  if ((await countQuestionsOf(tx, { kind: 'ask', subject })) >= questionsMax) {
    throw new Fault('wrong_state', {
      message: `This run has asked ${questionsMax} questions, which is all that a run may`,
      hint: 'Decide the rest yourself, or use report_blocker',
    });
  }
  const { projectId, ticketId, runId, specId } = run;
  return openQuestion(tx, {
    ...{ kind: 'ask', subject, key, text: asked.question, projectId, ticketId, runId, specId, dueMs },
    options: (asked.options ?? []).map(option => ({ id: option, label: option })),
    ...(asked.default === undefined ? {} : { defaultAnswer: asked.default }),
  });
}

async function waitFor(
  { database, clock }: AskParts,
  { id, ...scope }: { tenantId: string; actor: string; id: string },
  { signal, onWait }: Waiting,
): Promise<Pick<Watched, 'state' | 'answer'>> {
  const began = clock.mono();
  for (let told = began; ; ) {
    const [now] = await database.enginePool.query(watchQuestion, [scope.tenantId, id]);
    if (now === undefined) throw new Fault('question_not_found');
    if (now.state !== 'pending') return now;
    if (!now.isLive) {
      await database.engine(scope, tx => expireQuestion(tx, id));
      throw new Fault('lease_lost', { message: 'The run is over: nobody waits for this answer any more' });
    }
    // Whoever asked may ask again and finds the question, so it stays.
    if (signal.aborted) throw new Fault('lease_lost', { message: 'Whoever asked is gone' });
    if (now.isOverdue) await database.engine(scope, tx => expireQuestion(tx, id, { onlyOverdue: true }));
    else await clock.sleep(lookMs, signal);
    if (clock.mono() - told >= tellMs) {
      told = clock.mono();
      await onWait(Math.round((told - began) / 1_000));
    }
  }
}

function tell({ state, answer }: Pick<Watched, 'state' | 'answer'>, fallback: string | undefined): ReportAnswer {
  if (state === 'answered') return { outcome: 'answered', answer, message: `A person has answered: ${answer}` };
  const message =
    fallback === undefined
      ? 'Nobody has answered in time, and you gave no default: decide yourself, and say in the summary what you decided.'
      : `Nobody has answered in time. Your default holds: ${fallback}`;
  return { outcome: 'default', answer: fallback ?? null, message };
}
