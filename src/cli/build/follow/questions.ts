import type { WireChange } from '../../../../contract/changes.ts';
import type { WireQuestion } from '../../../../contract/talk/questions.ts';
import type { Context } from '../../context.ts';
import type { Board } from './board.ts';
import { readChanges, readOpenQuestions } from './reads.ts';

/** Whose questions they are. */
interface Asker {
  readonly specId: string | null;
  readonly session: { readonly project_id: string };
  readonly board: Pick<Board, 'row'>;
}

interface Waiting extends Asker {
  readonly trunk: { readonly id: string } | undefined;
  readonly board: Pick<Board, 'row' | 'rows'>;
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

/**
 * What lets the tickets that wait go on: an answer that holds by itself in a while, a person alone, or nothing that shows. That is so
 * for a moment, between the answer and what follows from it.
 */
export type Awaited = 'time' | 'person' | 'nothing';

export async function awaitedBy(context: Context, build: Waiting): Promise<Awaited> {
  const waiting = build.board.rows().filter(({ status }) => status === 'waiting');
  const questions = await openQuestionsOf(context, build);
  const asks = (id: string) => questions.filter(({ ticket_id }) => ticket_id === id);
  if (waiting.some(({ id }) => asks(id).some(({ due_at }) => due_at !== null))) return 'time';
  // A budget may stop any of them.
  if (questions.some(({ ticket_id }) => ticket_id === null)) return 'person';
  const changes = build.trunk === undefined ? [] : await readChanges(context, build.trunk.id);
  const flagged = new Set(changes.filter(isFlagged).map(({ ticket_id }) => ticket_id));
  return waiting.some(({ id }) => asks(id).length === 0 && !flagged.has(id)) ? 'nothing' : 'person';
}

/** It waits until a person has looked at it. */
export function isFlagged({ approval, state }: Pick<WireChange, 'approval' | 'state'>): boolean {
  return approval === 'needed' && state === 'open';
}
