import type { EventType } from '../../../contract/events.ts';
import type { QuestionKind, QuestionOption } from '../../../contract/talk/questions.ts';
import type { Tx } from '../../db/database.ts';
import { Fault } from '../../kernel/fault.ts';
import { move } from '../../kernel/machine.ts';
import { questionMachine } from './model/question.ts';
import {
  answerQuestionRow,
  countQuestions,
  decidedAskRows,
  expireQuestionRow,
  insertQuestion,
  lastQuestion,
  pendingAskRows,
  pendingQuestion,
  questionById,
  type QuestionRow,
  questionsFiltered,
} from './questions.sql.ts';

export interface NewQuestion {
  readonly kind: QuestionKind;
  /** What it is about; one question of a kind waits at a time, or one for each key. */
  readonly subject: { readonly type: string; readonly id: string };
  readonly key?: string;
  readonly text: string;
  readonly options?: readonly QuestionOption[];
  readonly projectId?: string | null | undefined;
  readonly ticketId?: string | null | undefined;
  readonly runId?: string | null | undefined;
  readonly specId?: string | null | undefined;
  /** What holds where nobody answers in time. */
  readonly defaultAnswer?: string | undefined;
  /** How long it waits, in milliseconds; absent: for a person, however long that takes. */
  readonly dueMs?: number | undefined;
}

const insertAttemptsMax = 3;

/** Asks a person; where the same is asked already, that question. */
export async function openQuestion(tx: Tx, wanted: NewQuestion): Promise<QuestionRow> {
  const same = sameAs(tx, wanted);
  const { text, options = [], projectId = null, ticketId = null, runId = null, specId = null, defaultAnswer, dueMs } = wanted;
  const about = [projectId, ticketId, runId, specId, text, JSON.stringify(options), defaultAnswer ?? null, dueMs ?? null];
  for (let attempt = 1; attempt <= insertAttemptsMax; attempt++) {
    const [pending] = await tx.query(pendingQuestion, same);
    if (pending !== undefined) return pending;
    const [made] = await tx.query(insertQuestion, [...same, ...about]);
    if (made === undefined) continue;
    announceQuestion(tx, made, 'question.opened');
    return made;
  }
  throw new Error('a question was opened and decided again and again while it was asked');
}

/** The last question of this subject and key, decided or not. */
export async function findQuestion(
  tx: Tx,
  wanted: Pick<NewQuestion, 'kind' | 'subject' | 'key'>,
): Promise<QuestionRow | undefined> {
  const [question] = await tx.query(lastQuestion, sameAs(tx, wanted));
  return question;
}

/** What agents have asked about a subject and nobody has decided, oldest first; nobody does until the transaction ends. */
export function pendingAsks(tx: Tx, subject: NewQuestion['subject']): Promise<QuestionRow[]> {
  return tx.query(pendingAskRows, [tx.tenantId, subject.type, subject.id]);
}

/** What agents have asked about a subject since then and what holds, in the order in which it was decided; of very many the last. */
export async function decidedAsks(tx: Tx, subject: NewQuestion['subject'], since: Date): Promise<QuestionRow[]> {
  return (await tx.query(decidedAskRows, [tx.tenantId, subject.type, subject.id, decidedAsksMax, since])).toReversed();
}

const decidedAsksMax = 10;

/** How many questions of a kind were asked about a subject since then. */
export async function countQuestionsOf(
  tx: Tx,
  { kind, subject }: Pick<NewQuestion, 'kind' | 'subject'>,
  since: Date,
): Promise<number> {
  const [row] = await tx.query(countQuestions, [tx.tenantId, kind, subject.type, subject.id, since]);
  return row?.count ?? 0;
}

/**
 * A person's word. Of several the first holds: the same one said again answers the same. Throws Fault `question_not_found`,
 * `wrong_state` where it was answered otherwise or nothing waits for it any more. Whoever calls has seen that the answer is one.
 */
export async function answerQuestion(
  tx: Tx,
  id: string,
  answer: string,
): Promise<{ readonly question: QuestionRow; readonly isFirst: boolean }> {
  const { to, from } = move(questionMachine, 'answer');
  const [answered] = await tx.query(answerQuestionRow, [tx.tenantId, id, to, answer, tx.actor, from]);
  if (answered !== undefined) {
    announceQuestion(tx, answered, 'question.answered');
    return { question: answered, isFirst: true };
  }
  const present = await getQuestion(tx, id);
  if (present.state === 'answered' && present.answer === answer) return { question: present, isFirst: false };
  throw decidedAlready(present);
}

/** Ends a question for whose answer nothing waits any more, or whose time is over; the default holds. Undefined where it has ended. */
export async function expireQuestion(
  tx: Tx,
  id: string,
  { onlyOverdue = false }: { readonly onlyOverdue?: boolean } = {},
): Promise<QuestionRow | undefined> {
  const { to, from } = move(questionMachine, 'expire');
  const [expired] = await tx.query(expireQuestionRow, [tx.tenantId, id, to, from, onlyOverdue]);
  if (expired !== undefined) announceQuestion(tx, expired, 'question.expired');
  return expired;
}

export async function getQuestion(tx: Tx, id: string): Promise<QuestionRow> {
  const [question] = await tx.query(questionById, [tx.tenantId, id]);
  if (question === undefined) throw new Fault('question_not_found');
  return question;
}

/** Questions, newest first. */
export function listQuestions(
  tx: Tx,
  { state, ticketId, limit }: { state?: QuestionRow['state'] | undefined; ticketId?: string | undefined; limit: number },
): Promise<QuestionRow[]> {
  return tx.query(questionsFiltered, [tx.tenantId, limit, state ?? null, ticketId ?? null]);
}

function decidedAlready({ state, answer }: QuestionRow): Fault {
  return new Fault('wrong_state', {
    message:
      state === 'answered'
        ? `The question was answered already, with: ${answer}`
        : 'The question is over: nothing waits for its answer',
    facts: { currentState: state },
  });
}

function sameAs(
  tx: Tx,
  { kind, subject, key = '' }: Pick<NewQuestion, 'kind' | 'subject' | 'key'>,
): [string, string, string, string, string] {
  return [tx.tenantId, kind, subject.type, subject.id, key];
}

/** Without the answer, which may be anything that a person tells an agent and nobody else. */
function announceQuestion(tx: Tx, question: QuestionRow, type: EventType): void {
  const { id, kind, state, subjectType, subjectId, projectId, ticketId, runId, specId, text } = question;
  tx.announce({
    type,
    subject: { type: 'question', id },
    payload: { kind, state, subjectType, subjectId, projectId, ticketId, runId, specId, text },
  });
}
