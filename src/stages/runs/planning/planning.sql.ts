import type { Feedback } from '../../../../contract/reviews.ts';
import { statement } from '../../../db/statement.ts';
import type { Ended } from '../model/retry.ts';
import type { RunState } from '../model/run.ts';
import { endedAgo } from '../runs.sql.ts';

const live = `('queued', 'leased', 'starting', 'working', 'submitted', 'parked')`;

/** A run that the planning of its session waits for: of the present phase, and queued since that began. */
const isAwaited = `p.state = 'working' and s.state = 'clarifying' and r.created_at >= p.begun_at
       and r.subject_id = p.session_id::text || ':' || p.phase`;

/**
 * Ends the runs of a session's planning that it does not wait for. All rows are locked, so that all are looked at as they are now:
 * a phase that has begun meanwhile keeps its run.
 */
export const withdrawPlanningRuns = statement<{ id: string }>(
  'withdraw_planning_runs',
  `with stopped as materialized (
     select r.id from runs r
       join plannings p on p.tenant_id = r.tenant_id and p.session_id = $2
       join sessions s on s.tenant_id = p.tenant_id and s.id = p.session_id
      where r.tenant_id = $1 and r.subject_type = 'spec_phase' and r.subject_id = any ($3::text[])
        and r.state in ${live} and not (${isAwaited})
        for no key update of r, p, s
   )
   update runs r set state = 'cancelled', lease_expires_at = null, ended_at = clock_timestamp()
     from stopped where r.tenant_id = $1 and r.id = stopped.id returning r.id`,
);

/** The run of a subject that is not over. */
export const liveRunOfPhase = statement<{ id: string; state: RunState }>(
  'live_run_of_phase',
  `select id, state from runs where tenant_id = $1 and subject_type = 'spec_phase' and subject_id = $2 and state in ${live}`,
);

/** What the last output of a phase was told that was looked at; nothing where that was good. One that was only stopped was not. */
export const lastVerdictOfPhase = statement<{ feedback: Feedback | null }>(
  'last_verdict_of_phase',
  `select feedback from runs where tenant_id = $1 and subject_type = 'spec_phase' and subject_id = $2
      and state in ('returned', 'accepted') and not resumed order by attempt desc limit 1`,
);

/** How the last $4 runs of a phase ended since it began, newest first: where a person has it tried again, the count begins anew. */
export const lastRunsOfPhase = statement<Ended & { state: RunState | 'resumed' }>(
  'last_runs_of_phase',
  `select case when r.resumed then 'resumed' else r.state end as state, r.failure_class, ${endedAgo('r')}
     from runs r join plannings p on p.tenant_id = r.tenant_id and p.session_id = $2 and p.begun_at <= r.created_at
    where r.tenant_id = $1 and r.subject_type = 'spec_phase' and r.subject_id = $3
      and r.state in ('failed', 'lost', 'submitted', 'returned', 'accepted')
    order by r.attempt desc limit $4`,
);

const olderThan = (time: string) => `${time} < now() - make_interval(secs => $1::int / 1000.0)`;

/**
 * Plannings that should have moved and for longer than $1 ms have not: the run of a phase is missing, questions were answered, a
 * plan was rejected, or nobody waits for one any more.
 */
export const planningsLeftAlone = statement<{ tenantId: string; id: string }>(
  'plannings_left_alone',
  `select p.tenant_id, p.session_id as id from plannings p join sessions s on s.tenant_id = p.tenant_id and s.id = p.session_id
    where p.state <> 'stopped' and ${olderThan('p.updated_at')} and ${olderThan('s.updated_at')}
      and case
        when s.state <> 'clarifying' then p.state in ('working', 'asking')
        when p.state = 'working' then not exists (
          select from runs r where r.tenant_id = p.tenant_id and r.subject_type = 'spec_phase'
             and r.subject_id = p.session_id::text || ':' || p.phase and (r.state in ${live} or not ${olderThan('r.ended_at')}))
        when p.state = 'asking' then exists (
          select from session_messages m where m.tenant_id = p.tenant_id and m.session_id = p.session_id and m.author = 'person'
             and ${olderThan('m.created_at')} and m.number > (
               select max(q.number) from session_messages q
                where q.tenant_id = p.tenant_id and q.session_id = p.session_id and q.questions is not null))
        else p.state = 'done' end
    order by p.updated_at limit 100`,
);

/** Outputs of phases that were handed in more than $1 ms ago and that nobody has looked at. */
export const outputsWithoutVerdict = statement<{ tenantId: string; id: string }>(
  'outputs_without_verdict',
  `select tenant_id, id from runs
    where state = 'submitted' and subject_type = 'spec_phase' and ${olderThan('leased_at')} order by leased_at limit 100`,
);
