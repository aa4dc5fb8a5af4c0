import type { Command } from 'commander';
import { checkText } from '../build/view/words.ts';
import { noun, remoteCommand, whole } from '../command.ts';
import { connect } from '../context.ts';
import type { RemoteOptions, World } from '../context.ts';
import { shortId, ticketId } from '../input/id.ts';
import { onePage, printList } from '../output/list.ts';
import { painted } from '../output/text.ts';
import { findReview, reviews, reviewText } from './find.ts';

export function reviewCommands(world: World): Command {
  return noun('review', 'Checks that were run on a commit, with their evidence', [reviewList(world), reviewShow(world)]);
}

interface ListOptions extends RemoteOptions {
  readonly ticket?: string;
  readonly limit?: number;
}

function reviewList(world: World): Command {
  const command = remoteCommand({
    name: 'list',
    description: 'List reviews, newest first',
    examples: ['skep review list --ticket TKT-003'],
  })
    .option('--ticket <id>', 'only those of this ticket', ticketId)
    .option('--limit <n>', 'at most so many', whole(1, 500));
  return command.action(async (options: ListOptions) => {
    const context = await connect(world, options);
    await printList(context, {
      pages: onePage(reviews(context, { ticket_id: options.ticket }, options.limit)),
      columns: [
        { title: 'ID', value: review => shortId(review.id) },
        { title: 'TICKET', value: review => review.ticket_id },
        { title: 'KIND', value: review => review.kind },
        { title: 'ROUND', value: review => review.round },
        {
          title: 'STATE',
          value: review => review.state,
          paint: (text, { state }) => painted(context.out, state === 'passed' ? 'completed' : state, text),
        },
        { title: 'CHECKED', value: review => review.candidate_sha.slice(0, 12) },
        { title: 'CHECKS', value: review => review.checks.map(checkText).join('; ') || review.reason },
      ],
      none: 'There are no such reviews.',
    });
  });
}

function reviewShow(world: World): Command {
  const command = remoteCommand({
    name: 'show',
    description: 'Show a review with its evidence: each check, how it ended and the end of what it printed',
    examples: ['skep review show 3f2a'],
  }).argument('<id>', 'the review; may be shortened');
  return command.action(async (id: string, options: RemoteOptions) => {
    const context = await connect(world, options);
    const found = await findReview(context, id);
    context.show(found, () => reviewText(context, found));
  });
}
