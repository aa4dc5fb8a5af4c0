import { statement } from '../../src/db/statement.ts';

/** Copies of the tables without walls, triggers and foreign keys, but with the same indexes and storage: what bare statements meet. */
export const makeBareTables = [
  'create schema bare',
  'create table bare.runs (like skep.runs including all)',
  'alter table bare.runs set (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500)',
  'create table bare.events (like skep.events including all)',
  'grant usage on schema bare to skep_engine, skep_app',
  'grant select, insert, update on all tables in schema bare to skep_engine, skep_app',
].map((text, i) => statement<object>(`make_bare_${i}`, text));

/** $3 ready tickets from number $4 on. */
export const ticketsFor = (table: string) => `
  insert into ${table} (tenant_id, id, number, project_id, type, title, status, chain)
  select $1, 'TKT-' || lpad(n::text, greatest(3, length(n::text)), '0'), n, $2, 'task', 'Ticket ' || n, 'ready', n % 10
    from generate_series($4::int, $4::int + $3::int - 1) as n`;
export const fillTickets = statement<object>('fill_tickets', ticketsFor('tickets'));

/** Their runs, as old as if one had been queued each millisecond of the hour before. */
export const runsFor = (table: string, requires = '{agent:exec}') => `
  insert into ${table} (tenant_id, subject_type, subject_id, ticket_id, ticket_status, attempt, state, chain, requires, project_id, agent,
                        created_at, due_at)
  select $1, 'ticket', ticket, ticket, 'ready', 1, 'queued', n % 10, '${requires}', $4, 'exec',
         now() - interval '1 hour' + n * interval '1 ms', now() - interval '1 hour'
    from (select n, 'TKT-' || lpad(n::text, greatest(3, length(n::text)), '0') as ticket
            from generate_series($3::int, $3::int + $2::int - 1) as n) as numbered`;
export const fillRuns = statement<object>('fill_runs', runsFor('runs'));
/** Of which the workers that the benchmarks start can do none. */
export const fillFarRuns = statement<object>('fill_far_runs', runsFor('runs', '{agent:exec,label:far}'));
export const fillBareRuns = statement<object>('fill_bare_runs', runsFor('bare.runs'));

/** With all that refers to them. */
export const emptyQueues = [
  'truncate tickets, runs, events cascade',
  'truncate bare.runs, bare.events',
  'delete from graphile_worker._private_jobs',
  'vacuum analyze',
].map((text, i) => statement<object>(`empty_queues_${i}`, text));

/** Statistics and visibility maps as they are in a database that has run for a while. */
export const settle = ['vacuum analyze tickets', 'vacuum analyze runs', 'vacuum analyze bare.runs', 'checkpoint'].map((text, i) =>
  statement<object>(`settle_${i}`, text),
);

/** The least that a safe claim can be: the first queued run becomes somebody's. */
export const bareClaim = statement<{ id: string }>(
  'bare_claim',
  `update bare.runs set state = 'leased', worker = $2, lease_token_hash = $3, fence = nextval('run_fences'),
          lease_expires_at = clock_timestamp() + make_interval(secs => 15), leased_at = clock_timestamp()
    where tenant_id = $1 and id = (select id from bare.runs where tenant_id = $1 and state = 'queued'
                 order by priority desc, chain desc, created_at, id limit 1 for update skip locked)
   returning id`,
);

/** The least that an append can be: one row, one commit, one round trip. */
export const bareAppend = statement<object>(
  'bare_append',
  `insert into bare.events (tenant_id, type, subject_type, subject_id, actor, payload)
   values ($1, 'ticket.changed', 'ticket', $2, 'bench', '{"title":"bench"}')`,
);

/** $2 committed events that wait for their position. */
export const fillEvents = statement<object>(
  'fill_events',
  `insert into events (tenant_id, type, subject_type, subject_id, actor, payload)
   select $1, 'ticket.changed', 'ticket', 'TKT-' || n, 'bench', '{"title":"bench"}' from generate_series(1, $2::int) as n`,
);

/** Holds a connection for long enough that a pool opens another one for the next. */
export const enterSession = statement<object>('enter_session', 'select pg_sleep(0.1)');

/** The server's processes of the engine role. */
export const engineSessions = statement<{ pid: number }>(
  'engine_sessions',
  `select pid from pg_stat_activity where usename = 'skep_engine'`,
);

export const runsOfTenant = statement<{ id: string; ticketId: string | null }>(
  'runs_of_tenant',
  'select id, subject_id as ticket_id from runs where tenant_id = $1 order by created_at',
);

/** The least that a commit can be. */
export const commitsOfTheLog = statement<object>('commits_of_the_log', 'update tenants set name = name where id = $1');
