import type { Command } from 'commander';
import { remoteCommand, whole } from '../command.ts';
import { connect } from '../context.ts';
import type { World } from '../context.ts';
import { printList } from '../output/list.ts';
import { painted } from '../output/text.ts';
import { shownStatus } from './drawing.ts';
import { queryOf, tickets, withFilter } from './find.ts';
import type { FilterOptions } from './find.ts';

interface Options extends FilterOptions {
  readonly limit?: number;
}

export function ticketList(world: World): Command {
  const command = remoteCommand({
    name: 'list',
    description: 'List tickets, all or those that a filter lets through',
    examples: ['skep ticket list --status ready', 'skep ticket list --session 3f2a --json | jq .title'],
  });
  return withFilter(command)
    .option('--limit <n>', 'at most so many', whole(1, 1_000_000))
    .action(async (options: Options) => {
      const context = await connect(world, options);
      await printList(context, {
        pages: tickets(context, await queryOf(context, options), options.limit),
        columns: [
          { title: 'ID', value: ticket => ticket.id },
          { title: 'TYPE', value: ticket => ticket.type },
          { title: 'STATUS', value: shownStatus, paint: (text, { status }) => painted(context.out, status, text) },
          { title: 'PRIORITY', value: ticket => ticket.priority },
          { title: 'DEPENDS ON', value: ticket => ticket.depends_on.join(','), max: 24 },
          { title: 'TITLE', value: ticket => ticket.title },
        ],
        none: 'There are no such tickets.',
      });
    });
}
