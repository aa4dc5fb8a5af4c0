import { type CostGroup, recordedNote, usdText, type WireCostRow, type WireCosts } from '../../../contract/models/budgets.ts';
import type { Tx } from '../../db/database.ts';
import { csvLine } from '../../kernel/csv.ts';
import { type CostRow, costRows } from './costs.sql.ts';

interface CostQuery {
  readonly by: CostGroup;
  readonly projectId?: string | undefined;
  readonly specId?: string | undefined;
  readonly ticketId?: string | undefined;
  readonly runId?: string | undefined;
  /** ISO 8601: calls that began at this time or later, and before that one. */
  readonly since?: string | undefined;
  readonly until?: string | undefined;
}

const groupsMax = 1_000;
/** Of what was paid, and of what was recorded. */
const totalsMax = 2;

/** What calls have cost. Groups with recorded and other calls are two rows; totals are of the same moment as the rows. */
export async function costs(tx: Tx, query: CostQuery): Promise<WireCosts> {
  const { by, projectId, specId, ticketId, runId, since, until } = query;
  const filter = [projectId, specId, ticketId, runId, since, until].map(value => value ?? null);
  const all = await tx.query(costRows, [tx.tenantId, by, ...filter, groupsMax + totalsMax + 1]);
  const groups = all.filter(row => !row.isTotal);
  const totals = all.filter(row => row.isTotal);
  const [paid, recorded] = [false, true].map(isRecorded => totals.find(row => row.isRecorded === isRecorded));
  return {
    by,
    rows: groups.slice(0, groupsMax).map(wireRow),
    is_cut: groups.length > groupsMax,
    total: paid === undefined ? nothing : sumsOf(paid),
    recorded_total: recorded === undefined ? null : { ...sumsOf(recorded), note: recordedNote },
  };
}

/** For a spreadsheet: a line a group, then the totals. */
export function costsCsv({ by, rows, total, recorded_total: recorded }: WireCosts): string {
  const names = Object.keys(total) as (keyof Sums)[];
  const cells = (sums: Sums) => names.map(name => cellOf(sums[name]));
  return [
    csvLine([by, 'name', 'note', ...names]),
    ...rows.map(row => csvLine([row.key, row.name, row.note, ...cells(row)])),
    csvLine(['total', null, null, ...cells(total)]),
    ...(recorded === null ? [] : [csvLine(['total', null, recorded.note, ...cells(recorded)])]),
  ].join('');
}

type Sums = WireCosts['total'];

function cellOf(value: Sums[keyof Sums]): string | number {
  return Array.isArray(value) ? value.join(' ') : value;
}

function wireRow(row: CostRow): WireCostRow {
  const { key, name, isRecorded } = row;
  return { key, name, is_recorded: isRecorded, note: isRecorded ? recordedNote : null, ...sumsOf(row) };
}

function sumsOf(row: CostRow): Sums {
  return {
    calls: row.calls,
    failed_calls: row.failedCalls,
    lost_calls: row.lostCalls,
    open_calls: row.openCalls,
    unpriced_calls: row.unpricedCalls,
    unpriced_models: row.unpricedModels,
    input_tokens: row.inputTokens,
    cached_tokens: row.cachedTokens,
    cache_write_tokens: row.cacheWriteTokens,
    output_tokens: row.outputTokens,
    reasoning_tokens: row.reasoningTokens,
    cost_usd: usdText(row.costMicrousd),
  };
}

const nothing: Sums = {
  ...{ calls: 0, failed_calls: 0, lost_calls: 0, open_calls: 0, unpriced_calls: 0, unpriced_models: [] },
  ...{ input_tokens: 0, cached_tokens: 0, cache_write_tokens: 0, output_tokens: 0, reasoning_tokens: 0 },
  cost_usd: usdText(0),
};
