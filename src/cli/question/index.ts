import { Option } from 'commander';
import type { Command } from 'commander';
import { question, questionStates } from '../../../contract/talk/questions.ts';
import { noun, remoteCommand, whole } from '../command.ts';
import { connect } from '../context.ts';
import type { RemoteOptions, World } from '../context.ts';
import { shortId, ticketId } from '../input/id.ts';
import { onePage, printList } from '../output/list.ts';
import { painted } from '../output/text.ts';
import { findQuestion, questions, questionText } from './find.ts';

export function questionCommands(world: World): Command {
  return noun('question', 'What agents and budgets ask of you', [
    questionList(world),
    questionShow(world),
    questionAnswer(world),
  ]);
}

interface ListOptions extends RemoteOptions {
  readonly state?: string;
  readonly ticket?: string;
  readonly waiting?: boolean;
  readonly limit?: number;
}

function questionList(world: World): Command {
  const command = remoteCommand({
    name: 'list',
    description: 'List questions, newest first',
    examples: ['skep question list --waiting'],
  })
    .addOption(new Option('--state <state>', 'only those in this state').choices([...questionStates]))
    .option('--ticket <id>', 'only those about this ticket', ticketId)
    .option('--waiting', 'only those that wait for your answer')
    .option('--limit <n>', 'at most so many', whole(1, 500));
  return command.action(async (options: ListOptions) => {
    const context = await connect(world, options);
    const state = options.waiting === true ? 'pending' : options.state;
    await printList(context, {
      pages: onePage(questions(context, { state, ticket_id: options.ticket }, options.limit)),
      columns: [
        { title: 'ID', value: it => shortId(it.id) },
        { title: 'KIND', value: it => it.kind },
        {
          title: 'STATE',
          value: it => (it.state === 'pending' ? 'waits for you' : it.state),
          paint: (text, it) => painted(context.out, it.state === 'pending' ? 'waiting' : 'completed', text),
        },
        { title: 'TICKET', value: it => it.ticket_id },
        { title: 'UNTIL', value: it => (it.state === 'pending' ? it.due_at : null) },
        { title: 'QUESTION', value: it => oneLine(it.text) },
      ],
      none: options.waiting === true ? 'Nothing waits for you.' : 'There are no such questions.',
    });
  });
}

const lineMax = 80;

function oneLine(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length <= lineMax ? line : `${line.slice(0, lineMax - 1)}…`;
}

function questionShow(world: World): Command {
  const command = remoteCommand({
    name: 'show',
    description: 'Show a question, and how it can be answered',
    examples: ['skep question show 3f2a'],
  }).argument('<id>', 'the question; may be shortened');
  return command.action(async (id: string, options: RemoteOptions) => {
    const context = await connect(world, options);
    const found = await findQuestion(context, id);
    context.show(found, () => questionText(context, found));
  });
}

function questionAnswer(world: World): Command {
  const command = remoteCommand({
    name: 'answer',
    description: 'Answer a question; what waits for it goes on',
    examples: [
      'skep question answer 3f2a raise:5.00',
      "skep question answer 3f2a 'Use the test account'",
      'skep question answer 3f2a stop',
    ],
  })
    .argument('<id>', 'the question; may be shortened')
    .argument(
      '<answer...>',
      'of a budget: raise:AMOUNT, model:NAME or stop; of a blocker: your words, or stop; else an option or your words',
    );
  return command.action(async (id: string, words: string[], options: RemoteOptions) => {
    const context = await connect(world, options);
    const found = await findQuestion(context, id);
    const body = { answer: words.join(' ') };
    const now = await context.client.request('POST', `/api/questions/${found.id}/answer`, { body, schema: question });
    context.show(now, () => questionText(context, now));
  });
}
