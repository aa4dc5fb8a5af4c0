import type { WireTop } from '../../../contract/fleet/top.ts';
import { statement } from '../../db/statement.ts';
import type { Tables } from '../../db/tables.gen.ts';
import type { Due, Held, Limit } from './model/held-back.ts';

/** All ages are counted from the begin of the transaction, so that one picture is of one moment. */
const msSince = (time: string) => `greatest(0, floor(extract(epoch from now() - ${time}) * 1000))::bigint`;
const msUntil = (time: string) => `greatest(0, ceil(extract(epoch from ${time} - now()) * 1000))::bigint`;

const isDue = `r.tenant_id = $1 and r.state = 'queued' and r.due_at <= now()`;
/** In two parts, each as one of the indexes has it, so that nothing else is read: among a million that have ended, or a hundred. */
const queued = `(
       select r.project_id, r.agent, r.requires, r.due_at, r.aged_at from runs r
        where r.tenant_id = $1 and r.state = 'queued' and r.ticket_id is not null
       union all
       select r.project_id, r.agent, r.requires, r.due_at, r.aged_at from runs r
        where r.tenant_id = $1 and r.state = 'queued' and r.ticket_id is null)`;
const isHeld = `r.tenant_id = $1 and r.state in ('leased', 'starting', 'working')`;
/** Claims of a worker that has left, fell silent or is told to claim nothing more are not to be expected. */
const claims = `w.tenant_id = $1 and w.state = 'active' and not w.is_told_to_drain`;

/**
 * All that waits, read once: how much there is, and the $2 kinds of which the most is due (project, agent, requires, runs), alike in what
 * their claim depends on. Among a million that wait this is nearly all that a look costs.
 */
export const queueTotals = statement<{
  at: Date;
  due: number;
  later: number;
  aged: number;
  oldestMs: number | null;
  kinds: readonly object[];
  waiting: number;
  questions: number;
}>(
  'queue_totals',
  `with kinds as materialized (
     select r.project_id, r.agent, r.requires, count(*) filter (where r.due_at <= now()) as due, count(*) as runs,
            count(*) filter (where r.due_at <= now() and r.aged_at is not null) as aged, min(r.due_at) as first_due
       from ${queued} r group by r.project_id, r.agent, r.requires
   )
   select now() as at, q.*,
          (select coalesce(jsonb_agg(jsonb_build_object('project_id', project_id, 'agent', agent, 'requires', requires, 'runs', due)), '[]')
             from (select project_id, agent, requires, due from kinds where due > 0 order by due desc limit $2) k) as kinds,
          (select count(*) from tickets t where t.tenant_id = $1 and t.status = 'waiting') as waiting,
          (select count(*) from questions k where k.tenant_id = $1 and k.state = 'pending') as questions
     from (select coalesce(sum(due), 0)::bigint as due, coalesce(sum(runs - due), 0)::bigint as later, coalesce(sum(aged), 0)::bigint as aged,
                  case when min(first_due) <= now() then ${msSince('min(first_due)')} end as oldest_ms from kinds) q`,
);

/** A path and the folders that it lies in. */
const upTo = (path: string) =>
  `unnest(array(select array_to_string((string_to_array(${path}, '/'))[1:n], '/') from generate_series(1, cardinality(string_to_array(${path}, '/'))) n))`;

/**
 * What the claims of these kinds ($2, as queue_totals has them) depend on. Collisions of files are what claim_bars sees, as joins of hashes
 * instead of comparisons of each with each, and only of the $3 runs that would be claimed first: few, so those are counted by themselves.
 */
export const dueGroups = statement<Due>(
  'due_groups',
  `with aged as (
     select distinct on (r.project_id) r.id from runs r
      where r.tenant_id = $1 and r.state = 'queued' and r.aged_at is not null and r.subject_type = 'ticket'
      order by r.project_id, r.priority desc, r.chain desc, r.created_at, r.id
   ), busy as materialized (
     select t.project_id, f.file from runs r join tickets t on t.tenant_id = r.tenant_id and t.id = r.subject_id
       join projects p on p.tenant_id = t.tenant_id and p.id = t.project_id and p.collisions = 'hold', unnest(t.files || t.observed) as f (file)
      where r.tenant_id = $1 and r.subject_type = 'ticket' and t.status <> 'waiting'
        and r.id = any (array(select id from runs where tenant_id = $1 and state in ('leased', 'starting', 'working')
                              union all select id from runs where tenant_id = $1 and state = 'submitted' union all select id from aged))
   ), first as materialized (
     select r.id, r.subject_id from runs r where ${isDue} and r.subject_type = 'ticket' and exists (select from busy)
      order by r.priority desc, r.chain desc, r.created_at, r.id limit $3
   ), wanted as materialized (
     select d.id, t.project_id, f.file from first d join tickets t on t.tenant_id = $1 and t.id = d.subject_id, unnest(t.files || t.observed) as f (file)
      where d.id not in (select id from aged)
   ), colliding as materialized (
     select w.id from wanted w join (select distinct b.project_id, place from busy b, ${upTo('b.file')} as place) o
         on o.project_id = w.project_id and o.place = w.file
     union
     select w.id from (select w.id, w.project_id, place from wanted w, ${upTo('w.file')} as place) w
       join (select distinct project_id, file from busy) b on b.project_id = w.project_id and b.file = w.place
   ), kinds as (
     select * from jsonb_to_recordset($2::jsonb) as k (project_id uuid, agent text, requires text[], runs bigint)
   )
   select k.*, p.name as project,
          (select count(*) from colliding c join runs r on r.tenant_id = $1 and r.id = c.id
            where r.requires = k.requires and r.project_id is not distinct from k.project_id and r.agent is not distinct from k.agent) as colliding,
          array(select w.name from workers w where ${claims} and k.requires <@ w.capabilities order by w.name limit 1000) as workers,
          array(select need from unnest(k.requires) as need
                 where not exists (select from workers w where ${claims} and need = any (w.capabilities))) as missing
     from kinds k left join projects p on p.tenant_id = $1 and p.id = k.project_id`,
);

export const heldGroups = statement<Held>(
  'held_groups',
  `select r.project_id, r.agent, r.worker, count(*) as runs from runs r where ${isHeld} group by r.project_id, r.agent, r.worker limit $2`,
);

export const limitsInForce = statement<Limit>(
  'limits_in_force',
  'select scope, scope_id, runs_max from run_limits where tenant_id = $1 order by scope, scope_id limit $2',
);

/** Whether the one run is under way that a brake lets go while it is tried whether things work again. */
export const brakeTaken = statement<object>(
  'brake_taken',
  `select 1 from brakes b where b.tenant_id = $1
      and exists (select from runs r where ${isHeld} and r.leased_at >= b.changed_at)`,
);

type Run = WireTop['runs'][number];
type Retry = WireTop['retries'][number];

/** Of what a person should look at first: what is hardly heard of, then what runs longest. */
export const liveRuns = statement<
  Pick<Run, 'id' | 'title' | 'project' | 'attempt' | 'state' | 'phase' | 'health' | 'worker'> & {
    subjectType: Run['subject_type'];
    subjectId: string;
    ticketId: string | null;
    heldMs: number;
    leaseLeftMs: number;
  }
>(
  'live_runs',
  `select r.id, r.subject_type, r.subject_id, r.ticket_id, t.title, p.name as project, r.attempt, r.state, r.phase, r.health, r.worker,
          ${msSince('r.leased_at')} as held_ms, ${msUntil('r.lease_expires_at')} as lease_left_ms
     from (select * from runs r where ${isHeld}
            order by array_position(array['degraded', 'late', 'ok'], r.health), r.leased_at, r.id limit $2) r
     left join tickets t on t.tenant_id = $1 and t.id = r.ticket_id
     left join projects p on p.tenant_id = $1 and p.id = r.project_id
    order by array_position(array['degraded', 'late', 'ok'], r.health), r.leased_at, r.id`,
);

/** Next attempts that wait, with what the one before ended of; at most 500 letters of it. */
export const retriesWaiting = statement<
  Pick<Retry, 'id' | 'attempt' | 'reason'> & {
    subjectType: Retry['subject_type'];
    subjectId: string;
    ticketId: string | null;
    dueInMs: number;
  }
>(
  'retries_waiting',
  `select r.id, r.subject_type, r.subject_id, r.ticket_id, r.attempt, ${msUntil('r.due_at')} as due_in_ms,
          (select case when b.state = 'failed' then left(b.failure_class || coalesce(': ' || nullif(b.failure_message, ''), ''), 500)
                       else b.state end
             from runs b where b.tenant_id = $1 and b.subject_type = r.subject_type and b.subject_id = r.subject_id and b.attempt < r.attempt
            order by b.attempt desc limit 1) as reason
     from runs r where r.tenant_id = $1 and r.state = 'queued' and r.due_at > now() and r.attempt > 1
    order by r.due_at, r.id limit $2`,
);

type WorkerRow = Omit<Tables['workers'], 'tenantId' | 'sandbox' | 'worth' | 'sandboxes'> & {
  sandbox: Record<string, string>;
  busy: number;
};

/** Those that work first. */
export const workersNow = statement<WorkerRow>(
  'workers_now',
  `select w.name, w.incarnation, w.host, w.version, w.slots, w.capabilities, w.sandbox, w.state, w.is_told_to_drain, w.started_at, w.beat_at,
          coalesce(h.busy, 0) as busy
     from workers w
     left join (select r.worker, count(*) as busy from runs r where ${isHeld} group by r.worker) h on h.worker = w.name
    where w.tenant_id = $1
    order by array_position(array['active', 'draining', 'gone', 'left'], w.state), w.name limit $2`,
);

export const breakersNow = statement<{ provider: string; model: string; state: unknown; changedAt: Date }>(
  'breakers_now',
  'select provider, model, state, changed_at from breakers where tenant_id = $1 order by changed_at desc, provider, model limit $2',
);

/** Of no tenant, so for the engine alone to read. */
export const serversNow = statement<Omit<Tables['servers'], 'jobSlots'>>(
  'servers_now',
  'select id, name, version, url, state, started_at, beat_at from servers order by started_at, id limit $1',
);
