import type { WireQuestion } from '../../../../contract/talk/questions.ts';
import type { Context } from '../../context.ts';
import type { Board } from './board.ts';
import { readOpenQuestions } from './reads.ts';

/** Whose questions they are. */
interface Asker {
  readonly specId: string | null;
  readonly session: { readonly project_id: string };
  readonly board: Pick<Board, 'row'>;
}

type About = Pick<WireQuestion, 'ticket_id' | 'spec_id' | 'project_id'>;

/** Whether this build may wait for the answer: it is about one of its tickets, or a budget that it shares. */
export function concerns({ ticket_id, spec_id, project_id }: About, { board, session, specId }: Asker): boolean {
  if (ticket_id !== null) return board.row(ticket_id) !== undefined;
  if (spec_id !== null) return spec_id === specId;
  return project_id === null || project_id === session.project_id;
}

/** What this build asks and nobody has answered yet, oldest first. */
export async function openQuestionsOf(context: Context, build: Asker): Promise<WireQuestion[]> {
  return (await readOpenQuestions(context)).filter(question => concerns(question, build)).toReversed();
}
