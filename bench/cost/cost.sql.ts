import { statement } from '../../src/db/statement.ts';

export const walBytes = statement<{ bytes: number }>(
  'wal_bytes',
  `select (pg_current_wal_insert_lsn() - '0/0')::float8 as bytes`,
);

/** Of the tables that a ticket writes to, with their indexes. */
export const tableBytes = statement<{ bytes: number }>(
  'table_bytes',
  `select sum(pg_total_relation_size(c.oid))::float8 as bytes
     from pg_class c where c.oid = any (array['tickets', 'runs', 'events', 'graphile_worker._private_jobs']::regclass[])`,
);

/** Before all others in the queue. */
export const preferTickets = statement<object>(
  'prefer_tickets',
  'update tickets set priority = 1000 where tenant_id = $1 and id = any ($2::text[])',
);

/** Statements for which a plan is made each time, which takes longer than most of them. */
export const plannedAnew = statement<{ name: string; plans: number }>(
  'planned_anew',
  'select name, custom_plans as plans from pg_prepared_statements where custom_plans > 5 order by custom_plans desc',
);

/** The tickets that were filled in have numbers of their own. */
export const countTickets = statement<object>(
  'count_tickets',
  'update tenants set ticket_count = greatest(ticket_count, 10000000) where id = $1',
);

export const failedJobs = statement<{ task: string; error: string }>(
  'failed_jobs',
  `select t.identifier as task, j.last_error as error from graphile_worker._private_jobs j
     join graphile_worker._private_tasks t on t.id = j.task_id where j.last_error is not null limit 1`,
);

export const ticketsCompleted = statement<{ count: number }>(
  'tickets_completed',
  `select count(*) from tickets where tenant_id = $1 and id = any ($2::text[]) and status = 'completed'`,
);

export const setLimit = statement<object>(
  'set_limit',
  'insert into run_limits (tenant_id, scope, scope_id, runs_max) values ($1, $2, $3, $4)',
);
export const noLimits = statement<object>('no_limits', 'delete from run_limits where tenant_id = $1');

export const forecastFiles = statement<object>(
  'forecast_files',
  `update tickets t set files = array(select 'src/part-' || t.number % 1000 || '/file-' || n || '.ts' from generate_series(1, 10) as n)
    where tenant_id = $1`,
);
export const noFiles = statement<object>('no_files', `update tickets set files = '{}' where tenant_id = $1`);
