import type { QuestionRow } from '../../../support/questions/index.ts';
import type { RunRow, StoredHalt } from '../runs.sql.ts';

/** What an agent's questions are about: not its run, so that a later attempt at the same has the answers. */
export function subjectOf({ subjectType, subjectId }: Pick<RunRow, 'subjectType' | 'subjectId'>): {
  readonly type: string;
  readonly id: string;
} {
  return { type: subjectType, id: subjectId };
}

/** The run ends its turn and waits for the answer. */
export function askingHalt({ id, text }: Pick<QuestionRow, 'id' | 'text'>): StoredHalt {
  return { kind: 'question', message: `The agent asks: ${text}`, questionId: id };
}
