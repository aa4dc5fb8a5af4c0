import { question, questionList } from '../../../contract/talk/questions.ts';
import type { WireQuestion } from '../../../contract/talk/questions.ts';
import type { Context } from '../context.ts';
import { shortId, wholeId } from '../input/id.ts';
import { fields } from '../output/table.ts';
import { painted } from '../output/text.ts';

interface Filter {
  readonly state?: string | undefined;
  readonly ticket_id?: string | undefined;
}

/** The newest questions, newest first. */
export async function questions({ client }: Context, filter: Filter, limit = listMax): Promise<WireQuestion[]> {
  return (await client.request('GET', '/api/questions', { query: { ...filter, limit }, schema: questionList })).questions;
}

const listMax = 500;

export async function findQuestion(context: Context, given: string): Promise<WireQuestion> {
  const id = await wholeId(given, {
    noun: 'question',
    notFound: 'question_not_found',
    all: async () => (await questions(context, {})).map(({ id }) => id),
  });
  return context.client.request('GET', `/api/questions/${id}`, { schema: question });
}

export function questionText({ out }: Context, it: WireQuestion): string {
  const text = fields([
    ['id', it.id],
    ['kind', kinds[it.kind]],
    ['state', it.state, text => painted(out, it.state === 'pending' ? 'waiting' : 'completed', text)],
    ['ticket', it.ticket_id],
    ['question', it.text],
    ['options', it.options.map(({ id, label }) => (id === label ? id : `${id}  ${label}`)).join('\n')],
    ['default', it.default_answer],
    ['until', it.due_at],
    ['answer', it.answer],
    ['by', it.answered_by],
    ['run', it.run_id],
    ['created', it.created_at],
    ['decided', it.decided_at],
  ]);
  return it.state === 'pending' ? `${text}\nnext  skep question answer ${shortId(it.id)} ANSWER` : text;
}

const kinds: Readonly<Record<WireQuestion['kind'], string>> = {
  budget: 'budget: what it stopped waits for you',
  blocker: 'blocker: an agent cannot go on, and its ticket waits for you',
  ask: 'ask: an agent asks, and its ticket goes on with the answer',
  recovery: 'recovery: runs of a ticket broke off again and again, and it waits for you',
};
