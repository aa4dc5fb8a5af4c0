import { Option } from 'commander';
import type { Command } from 'commander';
import { z } from 'zod';
import { costGroups, costs as costsSchema, type WireCostRow, type WireCosts } from '../../../contract/models/budgets.ts';
import { remoteCommand, usage } from '../command.ts';
import { connect } from '../context.ts';
import type { Context, RemoteOptions, World } from '../context.ts';
import { isUuid, shortId, ticketId } from '../input/id.ts';
import { createTable } from '../output/table.ts';
import { findProject } from '../project/find.ts';
import { runId } from '../run/find.ts';
import { specId } from '../ticket/find.ts';

interface Options extends RemoteOptions {
  readonly by: WireCosts['by'];
  readonly project?: string;
  readonly spec?: string;
  readonly ticket?: string;
  readonly run?: string;
  readonly since?: string;
  readonly until?: string;
  readonly csv?: boolean;
}

export function costCommand(world: World): Command {
  return remoteCommand({
    name: 'cost',
    description: 'Show what models have cost. Recorded calls are labelled, and stand in a total of their own',
    examples: ['skep cost', 'skep cost --by model --since 2026-01-01', 'skep cost --by ticket --project Todo --csv > costs.csv'],
  })
    .addOption(new Option('--by <group>', 'a line for each').choices([...costGroups]).default('project'))
    .option('--project <name>', 'only that of a project')
    .option('--spec <id>', 'only that of a spec; may be shortened')
    .option('--ticket <id>', 'only that of a ticket')
    .option('--run <id>', 'only that of a run; may be shortened')
    .option('--since <time>', 'only calls that began at this time or later, such as 2026-01-31 or 2026-01-31T12:00Z', time)
    .option('--until <time>', 'only calls that began before this time', time)
    .option('--csv', 'print CSV')
    .action(async (options: Options) => {
      const context = await connect(world, options);
      if (options.csv === true && context.json) throw usage('Give either --csv or --json');
      const query = await queryOf(context, options);
      if (options.csv === true) {
        const csv = { query: { ...query, format: 'csv' }, schema: z.string() };
        context.out.write(await context.client.request('GET', '/api/costs', csv));
        return;
      }
      print(context, await context.client.request('GET', '/api/costs', { query, schema: costsSchema }));
    });
}

async function queryOf(context: Context, { by, project, spec, ticket, run, since, until }: Options) {
  return {
    by,
    project_id: project === undefined ? undefined : (await findProject(context, project)).id,
    spec_id: spec === undefined ? undefined : await specId(context, spec),
    ticket_id: ticket === undefined ? undefined : ticketId(ticket),
    run_id: run === undefined ? undefined : await runId(context, run),
    since,
    until,
  };
}

function time(given: string): string {
  const at = /^\d{4}-\d\d-\d\d/.test(given) ? new Date(given) : undefined;
  if (at === undefined || Number.isNaN(at.getTime())) {
    throw usage(`'${given}' is no time`, 'Write it as 2026-01-31 or 2026-01-31T12:00:00Z');
  }
  return at.toISOString();
}

type Sums = WireCosts['total'];
type Line = Sums & { readonly key: string; readonly name: string; readonly note: string | null };

function print(context: Context, costs: WireCosts): void {
  if (context.json) context.show(costs, () => '');
  else if (costs.rows.length === 0) context.err.write('No model was called yet, or none that the filter lets through.\n');
  else printTable(context, costs);
}

function printTable(context: Context, { by, rows, total, recorded_total: recorded, is_cut: isCut }: WireCosts): void {
  const isNamed = rows.some(({ name }) => name !== null);
  const lines: Line[] = [
    ...rows.map(row => ({ ...row, key: keyText(row), name: row.name ?? '' })),
    // Where all is recorded there is no other sum to be shown.
    ...(total.calls > 0 || recorded === null ? [{ ...total, key: 'TOTAL', name: '', note: null }] : []),
    ...(recorded === null ? [] : [{ ...recorded, key: 'TOTAL', name: '' }]),
  ];
  createTable<Line>(context.out, [
    { title: by.toUpperCase(), value: ({ key }) => key, max: 48 },
    ...(isNamed ? [{ title: 'NAME', value: ({ name }: Line) => name, max: 40 }] : []),
    { title: 'CALLS', value: ({ calls }) => calls },
    { title: 'INPUT', value: ({ input_tokens, cache_write_tokens }) => input_tokens + cache_write_tokens },
    { title: 'CACHED', value: ({ cached_tokens }) => cached_tokens },
    { title: 'OUTPUT', value: ({ output_tokens }) => output_tokens },
    { title: 'COST', value: ({ cost_usd }) => `$${cost_usd}` },
    { title: 'NOTE', value: noteText },
  ]).add(lines);
  if (isCut) context.err.write('There are more; the totals are of all of them.\n');
}

function keyText({ key }: WireCostRow): string {
  if (key === null) return 'none';
  return isUuid(key) ? shortId(key) : key;
}

function noteText({ note, unpriced_calls, unpriced_models, open_calls, lost_calls, failed_calls }: Line): string {
  return [
    ...(note === null ? [] : [note]),
    ...(unpriced_calls === 0 ? [] : [`${unpriced_calls} without a price (${unpriced_models.join(', ')})`]),
    ...(open_calls === 0 ? [] : [`${open_calls} on their way`]),
    ...(lost_calls === 0 ? [] : [`${lost_calls} lost, counted in full`]),
    ...(failed_calls === 0 ? [] : [`${failed_calls} failed`]),
  ].join('; ');
}
