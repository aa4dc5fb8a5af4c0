import { statement } from '../../../db/statement.ts';

/** Ends that say nothing of the work itself: something that many runs need does not work. */
const brokeOff = `(r.state = 'lost' or (r.state = 'failed'
  and r.failure_class in ('agent_died', 'unresponsive', 'sandbox', 'repository', 'network', 'setup', 'provider', 'quota')))`;

export interface StormRow {
  readonly tenantId: string;
  readonly failed: number;
  readonly ended: number;
  /** What most of them broke off of. */
  readonly mostly: string;
}

/**
 * Tenants without a brake in which, within the last $1 ms and since the brake was last touched, at least $2 runs broke off, more
 * than half of all that ended, of three subjects or of all that there are, and of two projects or of the only one: a repository that is
 * gone is no reason to hold up others. What one worker loses has one cause, however many slots it
 * had, and counts once. More than the limit does not end in a minute; by it, and by a clock that stands still, the planner walks the
 * index of what has ended.
 */
export const stormsBrewing = statement<StormRow>(
  'storms_brewing',
  `with recent as materialized (
     select tenant_id, project_id, subject_type, subject_id, state, failure_class, worker, ended_at from runs
      where ended_at > now() - make_interval(secs => $1::int / 1000.0) and state <> 'cancelled'
      order by ended_at desc limit 10000
   )
   select s.tenant_id, s.failed, s.ended, s.mostly from (
     select r.tenant_id, count(*) filter (where ${brokeOff}) as failed, count(*) as ended,
            count(*) filter (where r.state = 'lost') - count(distinct r.worker) filter (where r.state = 'lost') as of_one_cause,
            count(distinct (r.subject_type, r.subject_id)) filter (where ${brokeOff}) as subjects,
            count(distinct r.project_id) filter (where ${brokeOff}) as projects, min(r.project_id::text) filter (where ${brokeOff}) as project,
            mode() within group (order by coalesce(r.failure_class, r.state)) filter (where ${brokeOff}) as mostly
       from recent r left join brakes b on b.tenant_id = r.tenant_id
      where b.tenant_id is null or (b.state = 'off' and r.ended_at > b.changed_at)
      group by r.tenant_id) s
    where s.failed - s.of_one_cause >= $2 and (s.failed - s.of_one_cause) * 2 > s.ended - s.of_one_cause
      and (s.subjects >= 3 or not exists (
        select from runs o
         where o.tenant_id = s.tenant_id and o.state in ('queued', 'leased', 'starting', 'working') and not exists (
           select from recent r where r.tenant_id = o.tenant_id and r.subject_type = o.subject_type and r.subject_id = o.subject_id
             and ${brokeOff})))
      and (s.projects >= 2 or not exists (
        select from runs o where o.tenant_id = s.tenant_id and o.state in ('queued', 'leased', 'starting', 'working')
           and o.project_id::text <> s.project))
    limit 100`,
);

export interface TrialRow {
  readonly tenantId: string;
  readonly brokeOff: boolean;
  readonly wentWell: boolean;
}

/** Of the brakes that try whether things work again, of one tenant or of all: what became of the runs that were claimed meanwhile. */
export const brakesTried = statement<TrialRow>(
  'brakes_tried',
  `select b.tenant_id, t.broke_off, t.went_well
     from brakes b, lateral (
       select coalesce(bool_or(${brokeOff}), false) as broke_off,
              coalesce(bool_or(r.state in ('submitted', 'accepted', 'returned')
                or (r.state = 'failed' and r.failure_class <> 'stopped' and not ${brokeOff})), false) as went_well
         from runs r where r.tenant_id = b.tenant_id and r.leased_at >= b.changed_at
           and (r.ended_at >= b.changed_at or (r.state = 'submitted' and r.leased_at >= b.changed_at))
     ) t
    where b.state = 'trying' and ($1::uuid is null or b.tenant_id = $1) and (t.broke_off or t.went_well) limit 100`,
);
