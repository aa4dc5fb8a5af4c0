import { createHash } from 'node:crypto';
import type { ReportAnswer, ReportInput } from '../../../contract/talk/report-back.ts';
import type { Database, Tx } from '../../db/database.ts';
import type { Clock } from '../../kernel/clock.ts';
import { failpoint } from '../../kernel/failpoint.ts';
import { Fault } from '../../kernel/fault.ts';
import {
  askedSince,
  askingHalt,
  haltRun,
  holdHalt,
  type RunContext,
  type RunSettings,
  type StoredHalt,
  subjectOf,
} from '../../stages/runs/index.ts';
import {
  countQuestionsOf,
  expireQuestion,
  findQuestion,
  getQuestion,
  openQuestion,
  type QuestionRow,
} from '../../support/questions/index.ts';
import { type Watched, watchQuestion } from './report-back.sql.ts';

export interface AskParts {
  readonly database: Database;
  readonly clock: Clock;
  readonly settings: Pick<RunSettings, 'questionMs' | 'questionWaitMs'>;
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
 * Asks a person and waits a short time for the answer, or for the deadline and the default. Then the run is halted and its agent told to
 * end its turn: it is parked, and goes on once there is an answer. The same question of all attempts at a ticket is one, however often
 * it is sent. Throws Fault `lease_lost` where the run ends meanwhile, `wrong_state` where it asks too much.
 */
export async function askHuman(
  parts: AskParts,
  run: RunContext,
  { asked, waiting }: { asked: ReportInput<'ask_human'>; waiting: Waiting },
): Promise<ReportAnswer> {
  const scope = { tenantId: run.tenantId, actor: `run:${run.runId}` };
  const question = await parts.database.engine(scope, tx => ask(tx, run, { asked, dueMs: parts.settings.questionMs }));
  failpoint('question-asked');
  if (question === undefined) return stopped;
  if (question.state !== 'pending') return tell(question, asked.default);
  const wait = { ...scope, id: question.id, runId: run.runId };
  const decided = await counted(parts.waits, run.runId, () => waitFor(parts, wait, waiting));
  return decided === undefined ? stopped : tell(decided, asked.default);
}

const stopped: ReportAnswer = {
  outcome: 'stopped',
  message: 'This run is being stopped already, and nobody is asked. Stop working now.',
};

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
): Promise<QuestionRow | undefined> {
  if (isForOther(await holdHalt(tx, run.runId))) return undefined;
  const subject = subjectOf(run);
  const key = createHash('sha256')
    .update(JSON.stringify([asked.question, asked.options ?? [], asked.default ?? null]))
    .digest('hex');
  const since = await askedSince(tx, run);
  const before = await findQuestion(tx, { kind: 'ask', subject, key });
  if (before !== undefined && before.createdAt >= since && !isClosed(before)) return before;
  if ((await countQuestionsOf(tx, { kind: 'ask', subject }, since)) >= questionsMax) {
    throw new Fault('wrong_state', {
      message: `${questionsMax} questions were asked about this already, which is all that there may be`,
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

/** Nothing waited for it any more, before its time was over: whoever asks now is the first again. */
function isClosed({ state, decidedAt, dueAt }: QuestionRow): boolean {
  return state === 'expired' && (dueAt === null || decidedAt === null || decidedAt < dueAt);
}

interface Wait {
  readonly tenantId: string;
  readonly actor: string;
  readonly id: string;
  readonly runId: string;
}

/** The question once it is decided, or still pending where its run is not to wait any longer; undefined where that is stopped for something else. */
async function waitFor(
  { database, clock, settings }: AskParts,
  { id, runId, ...scope }: Wait,
  { signal, onWait }: Waiting,
): Promise<Pick<Watched, 'state' | 'answer'> | undefined> {
  const began = clock.mono();
  for (let told = began; ; ) {
    const [now] = await database.enginePool.query(watchQuestion, [scope.tenantId, id, runId, settings.questionWaitMs]);
    if (now === undefined) throw new Fault('question_not_found');
    // The next attempt may need the answer, so the question stays.
    if (!now.isLive) throw new Fault('lease_lost', { message: 'The run is over: it waits for no answer any more' });
    if (now.state !== 'pending') return now;
    // Whoever asked may ask again and finds the question, so it stays.
    if (signal.aborted) throw new Fault('lease_lost', { message: 'Whoever asked is gone' });
    if (now.isOverdue) {
      await database.engine(scope, tx => expireQuestion(tx, id, { onlyOverdue: true }));
      failpoint('question-expired');
    } else if (now.isLong) {
      const ended = await database.engine(scope, tx => endTurn(tx, { id, runId }));
      failpoint('turn-ended');
      return ended;
    } else await clock.sleep(lookMs, signal);
    if (clock.mono() - told >= tellMs) {
      told = clock.mono();
      await onWait(Math.round((told - began) / 1_000));
    }
  }
}

async function endTurn(tx: Tx, { id, runId }: Pick<Wait, 'id' | 'runId'>): Promise<QuestionRow | undefined> {
  const question = await getQuestion(tx, id);
  if (question.state !== 'pending') return question;
  await haltRun(tx, runId, askingHalt(question));
  const halt = await holdHalt(tx, runId);
  if (halt === null) throw new Fault('lease_lost', { message: 'The run is over: it waits for no answer any more' });
  return isForOther(halt) ? undefined : question;
}

/** What stands in the way of the run is no question: it goes on with no answer. */
function isForOther(halt: StoredHalt | null): boolean {
  return halt !== null && halt.kind !== 'question';
}

function tell({ state, answer }: Pick<Watched, 'state' | 'answer'>, fallback: string | undefined): ReportAnswer {
  if (state === 'pending') return { outcome: 'later', message: later };
  if (state === 'answered') return { outcome: 'answered', answer, message: `A person has answered: ${answer}` };
  const message =
    fallback === undefined
      ? 'Nobody has answered in time, and you gave no default: decide yourself, and say in the summary what you decided.'
      : `Nobody has answered in time. Your default holds: ${fallback}`;
  return { outcome: 'default', answer: fallback ?? null, message };
}

const later =
  'Nobody has answered yet, and your question is kept. End your turn now, with your work as it is and without submit_result: what you have done and this conversation are kept, and you are woken in it with the answer.';
