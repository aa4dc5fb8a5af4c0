import { statement } from '../../db/statement.ts';
import type { Tables } from '../../db/tables.gen.ts';
import { scopesOfRun } from './calls.sql.ts';
import { higher, levelOf, lower } from './levels.sql.ts';

type Stored = Tables['budgets'];

export interface BudgetRow extends Stored {
  /** Of a project or a spec, what people call it. */
  name: string | null;
}

const columns = `b.id, b.tenant_id, b.scope, b.scope_id, b.template_id, b.cap_microusd, b.cap_tokens, b.spent_microusd, b.spent_tokens,
  b.reserved_microusd, b.reserved_tokens, b.level, b.created_at, b.updated_at,
  case b.scope when 'project' then (select p.name from projects p where p.tenant_id = b.tenant_id and p.id::text = b.scope_id)
               when 'spec' then (select s.name from specs s where s.tenant_id = b.tenant_id and s.id::text = b.scope_id) end as name`;

/** A statement of its own, before others: they see what it has waited for. */
export const holdBudgets = statement<object>('hold_budgets', 'select hold_budgets()');

export const budgetById = statement<BudgetRow>(
  'budget_by_id',
  `select ${columns} from budgets b where b.tenant_id = $1 and b.id = $2 for no key update of b`,
);

export const budgetOfScope = statement<BudgetRow>(
  'budget_of_scope',
  `select ${columns} from budgets b where b.tenant_id = $1 and b.scope = $2 and b.scope_id = $3 for no key update of b`,
);

/** Those that a person has set first, then those that were made for each one, the last used of them first. */
export const budgetsFiltered = statement<BudgetRow>(
  'budgets_filtered',
  `select ${columns} from budgets b
    where b.tenant_id = $1 and ($3::text is null or b.scope = $3) and ($4::text is null or b.scope_id = $4)
    order by b.template_id is not null, array_position(array['tenant', 'project', 'spec', 'ticket', 'agent', 'run'], b.scope),
             case when b.template_id is null then b.scope_id = '*' end desc, b.created_at desc, b.id limit $2`,
);

const unspent = levelOf({ microusd: 'b.spent_microusd', tokens: 'b.spent_tokens' });

export const insertBudget = statement<{ id: string }>(
  'insert_budget',
  `insert into budgets (tenant_id, scope, scope_id, cap_microusd, cap_tokens) values ($1, $2, $3, $4::bigint, $5::bigint) returning id`,
);

/** From here on it has a cap of its own. */
export const capBudget = statement<{ id: string }>(
  'cap_budget',
  `update budgets b set cap_microusd = $3::bigint, cap_tokens = $4::bigint, template_id = null, updated_at = clock_timestamp()
    where b.tenant_id = $1 and b.id = $2 returning b.id`,
);

/** The level as the cap now is: what was told of the former one counts no more. */
export const levelBudget = statement<BudgetRow>(
  'level_budget',
  `update budgets b set level = ${unspent} where b.tenant_id = $1 and b.id = $2 returning ${columns}`,
);

/** Those that were made from a template follow it. A level that one reaches by that is told by its next call. */
export const followTemplate = statement<object>(
  'follow_template',
  `with template as (select id, cap_microusd, cap_tokens from budgets where tenant_id = $1 and id = $2),
        capped as materialized (
          select b.id, t.cap_microusd, t.cap_tokens from budgets b join template t on b.template_id = t.id
           where b.tenant_id = $1 order by b.id for no key update of b)
   update budgets b set cap_microusd = c.cap_microusd, cap_tokens = c.cap_tokens, updated_at = clock_timestamp()
     from capped c where b.tenant_id = $1 and b.id = c.id`,
);

export const lowerLevels = statement<object>(
  'lower_levels',
  `update budgets b set level = ${lower('b.level', unspent)} where b.tenant_id = $1 and b.template_id = $2`,
);

/** A call was refused: that is what spent means, also where a rest is left that is too little for anything. */
export const spendBudget = statement<{ id: string }>(
  'spend_budget',
  `update budgets b set level = 'spent' where b.tenant_id = $1 and b.id = $2 and b.level <> 'spent' returning b.id`,
);

/** What was made from it goes with it. */
export const deleteBudget = statement<BudgetRow>(
  'delete_budget',
  `delete from budgets b where b.tenant_id = $1 and b.id = $2 returning ${columns}`,
);

/** One for this run of each budget that is for each one, and that it has none of. */
export const makeFromTemplates = statement<{ id: string; scope: string; scopeId: string }>(
  'make_from_templates',
  `insert into budgets (tenant_id, scope, scope_id, template_id, cap_microusd, cap_tokens)
   select t.tenant_id, t.scope, s.scope_id, t.id, t.cap_microusd, t.cap_tokens
     from ${scopesOfRun} join budgets t on t.tenant_id = $1 and t.scope = s.scope and t.scope_id = '*'
    where s.scope_id is not null
   on conflict (tenant_id, scope, scope_id) do nothing returning id, scope, scope_id`,
);

const uuidOf = (scope: string) => `case when $3 = '${scope}' then $4::text::uuid end`;
const callColumns = 'id, state, charged_microusd, charged_tokens, reserved_microusd, reserved_tokens';
const callsOfScope = [
  `$3 = 'tenant'`,
  `$3 = 'project' and project_id = ${uuidOf('project')}`,
  `spec_id = ${uuidOf('spec')}`,
  `ticket_id = case when $3 = 'ticket' then $4::text end`,
  `$3 = 'agent' and agent = $4::text`,
  `run_id = ${uuidOf('run')}`,
]
  .map(which => `select ${callColumns} from model_calls where tenant_id = $1 and ${which}`)
  .join('\n     union all ');

/**
 * Gives a new budget $2 of scope $3, $4 what was spent there before it, and the calls that are on their way. Only while the budgets are
 * held: otherwise a call that is being settled just now would be counted twice or not at all.
 */
export const countEarlier = statement<BudgetRow>(
  'count_earlier',
  `with calls as not materialized (
     ${callsOfScope}
   ), adopted as (
     update model_calls c set budget_ids = c.budget_ids || $2::uuid from calls o
      where c.id = o.id and o.state = 'reserved' returning c.reserved_microusd, c.reserved_tokens
   ), spent as (
     select coalesce(sum(charged_microusd), 0)::bigint as microusd, coalesce(sum(charged_tokens), 0)::bigint as tokens from calls
   ), open as (
     select coalesce(sum(reserved_microusd), 0)::bigint as microusd, coalesce(sum(reserved_tokens), 0)::bigint as tokens from adopted
   )
   update budgets b set spent_microusd = s.microusd, spent_tokens = s.tokens, reserved_microusd = o.microusd, reserved_tokens = o.tokens,
          level = ${higher('b.level', levelOf({ microusd: 's.microusd', tokens: 's.tokens' }))}
     from spent s, open o where b.tenant_id = $1 and b.id = $2 returning ${columns}`,
);

const uuidIn = (scope: string) => `case when $2 = '${scope}' then $3::text::uuid end`;

/** Whether there is such a thing. */
export const scopeExists = statement<{ known: boolean }>(
  'scope_exists',
  `select case $2 when 'project' then exists (select from projects where tenant_id = $1 and id = ${uuidIn('project')})
                  when 'spec' then exists (select from specs where tenant_id = $1 and id = ${uuidIn('spec')})
                  when 'ticket' then exists (select from tickets where tenant_id = $1 and id = $3)
                  when 'run' then exists (select from runs where tenant_id = $1 and id = ${uuidIn('run')})
                  else true end as known`,
);
