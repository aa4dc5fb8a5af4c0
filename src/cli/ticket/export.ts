import { Option } from 'commander';
import type { Command } from 'commander';
import type { WireTicket } from '../../../contract/tickets.ts';
import { remoteCommand } from '../command.ts';
import { connect } from '../context.ts';
import type { World } from '../context.ts';
import { csvLine } from '../../kernel/csv.ts';
import { queryOf, tickets, withFilter } from './find.ts';
import type { FilterOptions } from './find.ts';

interface Options extends FilterOptions {
  readonly format: 'csv' | 'json';
}

export function ticketExport(world: World): Command {
  const command = remoteCommand({
    name: 'export',
    description: 'Write tickets to stdout, as CSV for a spreadsheet or as a JSON array',
    examples: ['skep ticket export --format csv > tickets.csv'],
  });
  return withFilter(command)
    .addOption(
      new Option('--format <format>', 'how; --json is the same as --format json').choices(['csv', 'json']).default('csv'),
    )
    .action(async (options: Options) => {
      const context = await connect(world, options);
      const isJson = context.json || options.format === 'json';
      let count = 0;
      context.out.write(isJson ? '[' : csvLine(columns));
      for await (const rows of tickets(context, await queryOf(context, options))) {
        for (const row of rows) {
          context.out.write(
            isJson ? `${count === 0 ? '' : ','}\n${JSON.stringify(row)}` : csvLine(columns.map(column => cell(row[column]))),
          );
          count += 1;
        }
      }
      if (isJson) context.out.write('\n]\n');
    });
}

const columns = [
  'id',
  'type',
  'status',
  'status_reason',
  'proof',
  'title',
  'description',
  'acceptance_criteria',
  'parent_id',
  'depends_on',
  'priority',
  'estimate',
  'attempts',
  'branch_name',
  'pr_url',
  'project_id',
  'session_id',
  'spec_id',
  'created_at',
  'updated_at',
] as const satisfies readonly (keyof WireTicket)[];

function cell(value: WireTicket[(typeof columns)[number]]): string | number | null {
  return Array.isArray(value) ? value.join('\n') : value;
}
