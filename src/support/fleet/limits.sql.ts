import { statement } from '../../db/statement.ts';
import type { Tables } from '../../db/tables.gen.ts';

type Stored = Tables['run_limits'];

export interface LimitRow extends Omit<Stored, 'tenantId'> {
  runsHeld: number;
}

const heldOf = (which: string) =>
  `(select count(*) from runs r where r.tenant_id = l.tenant_id and r.state in ('leased', 'starting', 'working')${which})`;

const columns = `l.scope, l.scope_id, l.runs_max, l.created_at, l.updated_at,
  case l.scope when 'tenant' then ${heldOf('')}
               when 'project' then ${heldOf(' and r.project_id::text = l.scope_id')}
               when 'agent' then ${heldOf(' and r.agent = l.scope_id')}
               when 'worker' then ${heldOf(' and r.worker = l.scope_id')} end as runs_held`;

export const limitsOfTenant = statement<LimitRow>(
  'limits_of_tenant',
  `select ${columns} from run_limits l where l.tenant_id = $1
    order by array_position(array['tenant', 'project', 'agent', 'worker'], l.scope), l.scope_id`,
);

export const limitOfScope = statement<LimitRow>(
  'limit_of_scope',
  `select ${columns} from run_limits l where l.tenant_id = $1 and l.scope = $2 and l.scope_id = $3`,
);

/** No row where $5 others are there already. */
export const putLimitRow = statement<{ scope: string }>(
  'put_limit',
  `insert into run_limits (tenant_id, scope, scope_id, runs_max)
   select $1, $2, $3, $4 where (select count(*) from run_limits where tenant_id = $1 and (scope, scope_id) <> ($2, $3)) < $5::int
   on conflict (tenant_id, scope, scope_id) do update set runs_max = excluded.runs_max, updated_at = clock_timestamp() returning scope`,
);

export const deleteLimitRow = statement<object>(
  'delete_limit',
  'delete from run_limits where tenant_id = $1 and scope = $2 and scope_id = $3',
);
