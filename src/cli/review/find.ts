import { review, reviewList } from '../../../contract/reviews.ts';
import type { WireReview } from '../../../contract/reviews.ts';
import { checkText, isGreen } from '../build/view/words.ts';
import type { Context } from '../context.ts';
import { wholeId } from '../input/id.ts';
import { fields } from '../output/table.ts';
import { painted, printable, styled } from '../output/text.ts';
import { checkLine } from '../project/checks.ts';

interface Filter {
  readonly ticket_id?: string | undefined;
  readonly trunk_id?: string | undefined;
}

/** The newest reviews, newest first. */
export async function reviews({ client }: Context, filter: Filter, limit = listMax): Promise<WireReview[]> {
  return (await client.request('GET', '/api/reviews', { query: { ...filter, limit }, schema: reviewList })).reviews;
}

const listMax = 500;

export async function findReview(context: Context, given: string): Promise<WireReview> {
  const id = await wholeId(given, {
    noun: 'review',
    notFound: 'review_not_found',
    all: async () => (await reviews(context, {})).map(({ id }) => id),
  });
  return context.client.request('GET', `/api/reviews/${id}`, { schema: review });
}

/** The facts, then each check with the end of what it printed. */
export function reviewText({ out }: Context, it: WireReview): string {
  const head = fields([
    ['id', it.id],
    ['ticket', it.ticket_id ?? 'none: the base commit'],
    ['kind', kinds[it.kind]],
    ['round', it.round],
    [
      'state',
      it.state,
      text => painted(out, it.state === 'passed' ? 'completed' : it.state === 'running' ? 'running' : 'failed', text),
    ],
    ['reason', it.reason],
    ['head', it.head_sha],
    ['base', it.base_sha],
    ['checked', it.candidate_sha],
    ['run', it.run_id],
    ['flags', it.flags.map(({ what }) => what).join('\n')],
    ['created', it.created_at],
    ['ended', it.ended_at],
  ]);
  const checks = it.checks.flatMap(check => [
    '',
    styled(out, isGreen(check) ? 'green' : 'red', checkText(check)),
    `  $ ${printable(checkLine(check))}`,
    ...printable(check.output_tail, { keepNewlines: true })
      .trimEnd()
      .split('\n')
      .filter(line => line !== '')
      .map(line => `  | ${line}`),
  ]);
  return [head, ...checks].join('\n');
}

const kinds: Readonly<Record<WireReview['kind'], string>> = {
  base: 'base: the commit that all work starts from',
  submission: 'submission: what an agent has handed in',
  merge: 'merge: again, since the branch had moved',
};
