import type { costGroups } from '../../../contract/models/budgets.ts';
import { statement } from '../../db/statement.ts';

/** Sums of calls. */
export interface CostRow {
  /** Whether it is the sum of all groups. */
  readonly isTotal: boolean;
  /** Null where the calls have none, such as the spec of a ticket without one. */
  readonly key: string | null;
  readonly name: string | null;
  readonly isRecorded: boolean;
  readonly calls: number;
  readonly failedCalls: number;
  readonly lostCalls: number;
  /** On their way; what they cost is not in the sums yet. */
  readonly openCalls: number;
  /** Answered by models whose price nobody knows. */
  readonly unpricedCalls: number;
  readonly unpricedModels: string[];
  readonly inputTokens: number;
  readonly cachedTokens: number;
  readonly cacheWriteTokens: number;
  readonly outputTokens: number;
  readonly reasoningTokens: number;
  readonly costMicrousd: number;
}

/** What each group is known by, of `model_calls c`. */
const keys: Readonly<Record<(typeof costGroups)[number], string>> = {
  project: 'c.project_id::text',
  spec: 'c.spec_id::text',
  ticket: 'c.ticket_id',
  agent: 'c.agent',
  model: `c.provider || '/' || c.model`,
  run: 'c.run_id::text',
  day: `to_char(c.started_at at time zone 'UTC', 'YYYY-MM-DD')`,
};
const keyCases = Object.entries(keys).map(([group, key]) => `when '${group}' then ${key}`);

const sums = ['input_tokens', 'cached_tokens', 'cache_write_tokens', 'output_tokens', 'reasoning_tokens', 'cost_microusd']
  .map(column => `coalesce(sum(${column}), 0)::bigint as ${column}`)
  .join(', ');
const unpriced = `filter (where cost_microusd is null and state in ('completed', 'incomplete', 'lost'))`;

/** What was asked before there was a spec belongs to the spec that came of it. */
const asked = `select r.id from specs s join runs r on r.tenant_id = s.tenant_id and r.subject_type = 'spec_phase'
                and r.subject_id = s.session_id || ':CLARIFY' where s.tenant_id = $1 and s.id = $4`;

/**
 * The calls that a filter lets through, grouped by $2 and by whether they were recorded; with the totals of all groups, of the same
 * moment. At most $9 groups, the most expensive ones or, of days, the last.
 */
export const costRows = statement<CostRow>(
  'cost_rows',
  `with calls as (
     select case $2 ${keyCases.join(' ')} end as key, c.*, c.provider || '/' || c.model as full_model
       from model_calls c
      where c.tenant_id = $1 and ($3::uuid is null or c.project_id = $3)
        and ($4::uuid is null or c.spec_id = $4 or c.spec_id is null and c.run_id in (${asked}))
        and ($5::text is null or c.ticket_id = $5) and ($6::uuid is null or c.run_id = $6)
        and ($7::timestamptz is null or c.started_at >= $7) and ($8::timestamptz is null or c.started_at < $8)
   ), summed as (
     select grouping(key) = 1 as is_total, key, is_recorded, count(*) as calls,
            count(*) filter (where state = 'failed') as failed_calls, count(*) filter (where state = 'lost') as lost_calls,
            count(*) filter (where state = 'reserved') as open_calls, count(*) ${unpriced} as unpriced_calls,
            coalesce(array_agg(distinct full_model order by full_model) ${unpriced}, '{}') as unpriced_models, ${sums}
       from calls group by grouping sets ((key, is_recorded), (is_recorded))
   )
   select u.*, case $2 when 'project' then (select p.name from projects p where p.tenant_id = $1 and p.id::text = u.key)
                       when 'spec' then (select s.name from specs s where s.tenant_id = $1 and s.id::text = u.key)
                       when 'ticket' then (select t.title from tickets t where t.tenant_id = $1 and t.id = u.key) end as name
     from summed u order by u.is_total desc, case when $2 = 'day' then u.key end desc, u.cost_microusd desc, u.calls desc, u.key, u.is_recorded
    limit $9::int`,
);
