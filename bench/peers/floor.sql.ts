import { statement } from '../../src/db/statement.ts';
import { runsFor, ticketsFor } from '../harness/fill.sql.ts';

/** The tables that a claim and a hand-in write to, with their indexes, checks and storage, as the bare one has them: no wall, no trigger, no foreign key. */
export const makeFloorTables = [
  'create schema floor',
  ...['skep.runs', 'skep.tickets', 'skep.events', 'graphile_worker._private_jobs'].map(
    table =>
      `create table floor.${table.split('.')[1]} (like ${table} including defaults including identity including generated
                                                  including constraints including indexes including storage including compression)`,
  ),
  ...['runs', 'tickets'].map(
    table =>
      `alter table floor.${table} set (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500)`,
  ),
  'grant usage on schema floor to skep_engine',
  'grant select, insert, update on all tables in schema floor to skep_engine',
].map((text, i) => statement<object>(`make_floor_${i}`, text));

export const emptyFloor = statement<object>(
  'empty_floor',
  'truncate floor.runs, floor.tickets, floor.events, floor._private_jobs',
);
export const fillFloorTickets = statement<object>('fill_floor_tickets', ticketsFor('floor.tickets'));
export const fillFloorRuns = statement<object>('fill_floor_runs', runsFor('floor.runs'));

export const settleFloor = ['vacuum analyze floor.tickets', 'vacuum analyze floor.runs'].map((text, i) =>
  statement<object>(`settle_floor_${i}`, text),
);

const first = (columns: string) => `select ${columns} from floor.runs where tenant_id = $1 and state = 'queued'
      order by priority desc, chain desc, created_at, id`;

const leased = `state = 'leased', fence = nextval('run_fences'), lease_expires_at = clock_timestamp() + make_interval(secs => 600),
            leased_at = clock_timestamp()`;

const claimed = `
     update floor.tickets t set status = 'claimed', attempts = t.attempts + 1, updated_at = now()
       from claimed c where t.tenant_id = c.tenant_id and t.id = c.ticket_id returning t.id, t.tenant_id, t.attempts, c.worker
   ), logged as (
     insert into floor.events (tenant_id, type, subject_type, subject_id, actor, payload)
     select tenant_id, 'run.leased', 'run', id::text, 'worker:' || worker,
            jsonb_build_object('subject', subject_id, 'subjectType', subject_type, 'ticketId', ticket_id, 'attempt', attempt, 'fence', fence)
       from claimed
     union all
     select tenant_id, 'ticket.claimed', 'ticket', id, 'worker:' || worker, jsonb_build_object('status', 'claimed', 'attempts', attempts)
       from followed`;

const written = 'r.id, r.tenant_id, r.subject_type, r.subject_id, r.ticket_id, r.attempt, r.state, r.worker, r.fence, r.result';

/** The least that can write what a claim writes: the run, its ticket and both events. */
export const floorClaim = statement<{ id: string }>(
  'floor_claim',
  `with picked as materialized (
     ${first('id')} limit 1 for no key update skip locked
   ), claimed as (
     update floor.runs r set ${leased}, worker = $2, lease_token_hash = $3, run_token_hash = $4
       from picked where r.tenant_id = $1 and r.id = picked.id returning ${written}
   ), followed as (${claimed}
   )
   select id from claimed`,
);

/** The same for several: workers and the hashes of their tokens are $2 to $4. The planner is not told how many. */
export const floorClaims = statement<{ id: string; turn: number }>(
  'floor_claims',
  `with picked as materialized (
     select r.id from (${first('id, priority, chain, created_at')} limit 36) o join floor.runs r on r.tenant_id = $1 and r.id = o.id
      where r.state = 'queued'
      order by o.priority desc, o.chain desc, o.created_at, o.id limit (select cardinality($2::text[])) for no key update of r skip locked
   ), given as (
     select id, row_number() over () as turn from picked
   ), claimed as (
     update floor.runs r set ${leased}, worker = ($2::text[])[g.turn], lease_token_hash = ($3::bytea[])[g.turn],
            run_token_hash = ($4::bytea[])[g.turn]
       from given g where r.tenant_id = $1 and r.id = g.id returning ${written}, g.turn
   ), followed as (${claimed}
   )
   select id, turn from claimed`,
);

const payload = `'subject', subject_id, 'subjectType', subject_type, 'ticketId', ticket_id, 'attempt', attempt, 'state', state,
                            'head', result ->> 'head', 'bundle', result ->> 'bundle'`;

const submitted = `
     update floor.tickets t set status = 'verifying', status_reason = null, proof = null, updated_at = now()
       from submitted s where t.tenant_id = s.tenant_id and t.id = s.ticket_id returning t.id, t.tenant_id, s.worker
   ), logged as (
     insert into floor.events (tenant_id, type, subject_type, subject_id, actor, payload)
     select tenant_id, 'ticket.verifying', 'ticket', id, 'worker:' || worker, jsonb_build_object('status', 'verifying') from followed
     union all
     select tenant_id, 'run.submitted', 'run', id::text, 'worker:' || worker, jsonb_build_object(${payload}) from submitted
   ), begun as (
     insert into floor._private_jobs (task_id, payload)
     select 1, json_build_object('type', 'run.submitted', 'tenantId', tenant_id, 'subject', json_build_object('type', 'run', 'id', id),
                                 'payload', json_build_object(${payload}))
       from submitted`;

/** The least that can write what a hand-in writes: the run by its id and token, its ticket, both events, and the row of a job. */
export const floorHandIn = statement<{ id: string }>(
  'floor_hand_in',
  `with submitted as (
     update floor.runs r set state = 'submitted', result = $4::jsonb, lease_expires_at = null
      where r.id = $2 and r.tenant_id = $1 and r.lease_token_hash = $3 returning ${written}
   ), followed as (${submitted}
   )
   select id from submitted`,
);

/** The same for several: runs, hashes of their tokens and results are $2 to $4. */
export const floorHandIns = statement<{ id: string }>(
  'floor_hand_ins',
  `with asked as materialized (
     select ($2::uuid[])[n] as run_id, ($3::bytea[])[n] as token_hash, ($4::text[])[n]::jsonb as result
       from generate_series(1, (select cardinality($2::uuid[]))) as n limit 16
   ), submitted as (
     update floor.runs r set state = 'submitted', result = a.result, lease_expires_at = null
       from asked a where r.id = a.run_id and r.tenant_id = $1 and r.lease_token_hash = a.token_hash returning ${written}
   ), followed as (${submitted}
   )
   select id from submitted`,
);
