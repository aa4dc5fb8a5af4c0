import { Option } from 'commander';
import type { Command } from 'commander';
import { budgetList as schema, budgetScopes, type WireBudget } from '../../../contract/models/budgets.ts';
import { remoteCommand, whole } from '../command.ts';
import { connect } from '../context.ts';
import type { Context, Output, RemoteOptions, World } from '../context.ts';
import { shortId } from '../input/id.ts';
import { onePage, printList } from '../output/list.ts';
import { painted } from '../output/text.ts';
import { amounts, ownerText } from './scope.ts';

interface Options extends RemoteOptions {
  readonly scope?: string;
  readonly limit?: number;
}

export function budgetList(world: World): Command {
  return remoteCommand({
    name: 'list',
    description: 'List budgets: first those that were set, then those that were made for each one',
    examples: ['skep budget list', 'skep budget list --scope ticket'],
  })
    .addOption(new Option('--scope <scope>', 'only those of this kind').choices([...budgetScopes]))
    .option('--limit <n>', 'at most so many', whole(1, budgetsMax))
    .action(async (options: Options) => {
      const context = await connect(world, options);
      await printList(context, {
        pages: onePage(budgets(context, { scope: options.scope, limit: options.limit })),
        columns: [
          { title: 'ID', value: budget => shortId(budget.id) },
          { title: 'FOR', value: ownerText, max: 40 },
          { title: 'CAP', value: it => amounts(it, 'cap') },
          { title: 'SPENT', value: it => amounts(it, 'spent') },
          { title: 'RESERVED', value: it => amounts(it, 'reserved') },
          { title: 'LEVEL', value: ({ level }) => level, paint: (text, { level }) => paintedLevel(context.out, level, text) },
        ],
        none: 'There are no budgets. Set one: skep budget set --project NAME --usd 5',
      });
    });
}

/** The most that the server gives at once. */
const budgetsMax = 500;

interface Filter {
  readonly scope?: string | undefined;
  readonly scope_id?: string | undefined;
  readonly limit?: number | undefined;
}

export async function budgets({ client }: Context, filter: Filter): Promise<WireBudget[]> {
  return (await client.request('GET', '/api/budgets', { query: { limit: budgetsMax, ...defined(filter) }, schema })).budgets;
}

function defined({ scope, scope_id, limit }: Filter): Record<string, string | number | undefined> {
  return { scope, scope_id, ...(limit === undefined ? {} : { limit }) };
}

const colours = { ok: 'completed', warned: 'waiting', alerted: 'waiting', spent: 'failed' } as const;

export function paintedLevel(out: Output, level: WireBudget['level'], text: string): string {
  return painted(out, colours[level], text);
}
