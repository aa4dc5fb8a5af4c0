import { Option } from 'commander';
import type { Command } from 'commander';
import { changeStates } from '../../../contract/changes.ts';
import { remoteCommand, whole } from '../command.ts';
import { connect } from '../context.ts';
import type { RemoteOptions, World } from '../context.ts';
import { shortId, ticketId } from '../input/id.ts';
import { onePage, printList } from '../output/list.ts';
import { painted } from '../output/text.ts';
import { changes, waits } from './find.ts';

interface Options extends RemoteOptions {
  readonly state?: string;
  readonly ticket?: string;
  readonly waiting?: boolean;
  readonly limit?: number;
}

export function changeList(world: World): Command {
  const command = remoteCommand({
    name: 'list',
    description: 'List changes, newest first: the work of each ticket on its way into the branch',
    examples: ['skep change list --waiting'],
  })
    .addOption(new Option('--state <state>', 'only those in this state').choices([...changeStates]))
    .option('--ticket <id>', 'only that of this ticket', ticketId)
    .option('--waiting', 'only those that wait for your approval')
    .option('--limit <n>', 'at most so many', whole(1, 500));
  return command.action(async (options: Options) => {
    const context = await connect(world, options);
    const found = changes(context, { state: options.state, ticket_id: options.ticket }, options.limit);
    const rows = found.then(all => all.filter(change => options.waiting !== true || waits(change)));
    await printList(context, {
      pages: onePage(rows),
      columns: [
        { title: 'ID', value: change => shortId(change.id) },
        { title: 'TICKET', value: change => change.ticket_id },
        {
          title: 'STATE',
          value: change => (waits(change) ? 'waits for you' : change.state),
          paint: (text, change) => painted(context.out, waits(change) ? 'waiting' : change.state, text),
        },
        { title: 'HEAD', value: change => change.head_sha.slice(0, 12) },
        { title: 'FLAGS', value: change => (change.flags.length === 0 ? null : change.flags.length) },
        { title: 'TITLE', value: change => change.title },
      ],
      none: options.waiting === true ? 'Nothing waits for you.' : 'There are no such changes.',
    });
  });
}
