import { statement } from '../../../db/statement.ts';
import { isStopped, type RunRow, runColumns } from '../runs.sql.ts';

const live = `('queued', 'leased', 'starting', 'working', 'submitted', 'parked')`;

const isLast = `not exists (select from runs later where later.tenant_id = r.tenant_id and later.subject_type = r.subject_type
  and later.subject_id = r.subject_id and later.attempt > r.attempt)`;

/** A run that hangs on a question: parked, or over and the last of a ticket that waits since. */
const hangs = `r.halt ->> 'questionId' is not null and not r.resumed
  and (r.state = 'parked' or (r.state in ('failed', 'lost') and r.subject_type = 'ticket' and t.status = 'waiting' and ${isLast}))`;

const withTicket = 'runs r left join tickets t on t.tenant_id = r.tenant_id and t.id = r.ticket_id';

/** What hangs on a question, in the order in which it was begun. */
export const runsOfQuestion = statement<{ id: string }>(
  'runs_of_question',
  `select r.id from ${withTicket} where r.tenant_id = $1 and r.halt ->> 'questionId' = $2 and ${hangs} order by r.created_at, r.id`,
);

/** Whether a run hangs on its question. */
export const hangingRun = statement<{ id: string }>(
  'hanging_run',
  `select r.id from ${withTicket} where r.tenant_id = $1 and r.id = $2 and ${hangs}`,
);

/** What hangs on a question that is decided, for longer than $1 ms. */
export const haltsDecided = statement<{ tenantId: string; id: string }>(
  'halts_decided',
  `select r.tenant_id, r.id from questions q join runs r on r.tenant_id = q.tenant_id and r.halt ->> 'questionId' = q.id::text
     left join tickets t on t.tenant_id = r.tenant_id and t.id = r.ticket_id
    where q.decided_at < clock_timestamp() - make_interval(secs => $1::int / 1000.0) and ${hangs} order by q.decided_at limit 100`,
);

/**
 * Lets go on what hung: parked work is over and sent back. $4: where the next attempt goes on; $5: the task where it changes; $6: the
 * work, where only a dead worker's rest told of it.
 */
export const resumeRunRow = statement<{ id: string }>(
  'resume_run',
  `update runs r set state = case r.state when 'parked' then 'returned' else r.state end, resumed = true, feedback = $3::jsonb, resume_sha = $4,
          task = coalesce($5::jsonb, r.task), result = coalesce($6::jsonb, r.result), ended_at = coalesce(r.ended_at, clock_timestamp())
    where r.tenant_id = $1 and r.id = $2 and not r.resumed and r.state in ('parked', 'failed', 'lost') and ${isLast} returning r.id`,
);

interface HangingProject {
  readonly projectId: string;
  readonly isPlanning: boolean;
  /** Of their tickets, where an agent works on those; null: it does something else. */
  readonly type: string | null;
}

/** Of which projects the runs are that hang on a question or will, and what they are about. */
export const projectsOfQuestion = statement<HangingProject>(
  'projects_of_question',
  `select distinct (r.task ->> 'projectId')::uuid as project_id, r.subject_type = 'spec_phase' as is_planning,
          case when r.subject_type in ('ticket', 'conflict') then t.type end as type
     from ${withTicket}
    where r.tenant_id = $1 and r.halt ->> 'questionId' = $2 and r.task ->> 'projectId' is not null and not r.resumed
      and r.state <> 'cancelled' limit 100`,
);

/** Whether the newest attempt at a ticket has ended, or stopped, with something in its way. */
export const haltOfTicket = statement<{ isHalted: boolean }>(
  'halt_of_ticket',
  `select halt is not null and state in ('parked', 'failed', 'lost') and not resumed as is_halted from runs
    where tenant_id = $1 and subject_type = 'ticket' and subject_id = $2 order by attempt desc limit 1`,
);

/** The last attempt at a ticket, where there is something for a retry of the kind $3 to say: it goes on from what somebody has stopped. */
export const retryRunRow = statement<RunRow>(
  'retry_run',
  `update runs r set retried = $3
    where r.tenant_id = $1 and r.subject_type = 'ticket' and r.subject_id = $2 and ${isLast}
      and ($3 = 'anew' or (${isStopped} and r.started_at is not null)) returning ${runColumns}`,
);

/** The last $3 attempts at a ticket that were taken up, newest first: as many as count since it was begun, or begun anew. */
export const lastClaimedRuns = statement<{ createdAt: Date }>(
  'last_claimed_runs',
  `select created_at from runs
    where tenant_id = $1 and subject_type = 'ticket' and subject_id = $2 and fence is not null order by attempt desc limit $3`,
);

/** What is parked for a ticket that goes on without it. Both rows are locked, so that both are looked at as they are now. */
export const parkedOfReadyTicket = statement<{ id: string }>(
  'parked_of_ready_ticket',
  `select r.id from runs r join tickets t on t.tenant_id = r.tenant_id and t.id = r.subject_id
    where t.tenant_id = $1 and t.id = $2 and t.status = 'ready' and r.subject_type = 'ticket' and r.state = 'parked'
      for no key update of r for share of t`,
);

/** What is asked about a ticket is kept for its later attempts, until it is over; what an attempt at anything else asks, while that lives. */
const isIdleAsk = `case when q.ticket_id is not null
  then exists (select from tickets t where t.tenant_id = q.tenant_id and t.id = q.ticket_id and t.status in ('completed', 'failed', 'cancelled'))
  else not exists (select from runs r where r.tenant_id = q.tenant_id and r.id = q.run_id and r.state in ${live}) end`;

/** That nothing hangs on the answer to a question, nor will. */
const isIdle = `case when q.kind = 'ask' then ${isIdleAsk}
  else not exists (select from ${withTicket} where r.tenant_id = q.tenant_id and r.halt ->> 'questionId' = q.id::text
                      and (r.state in ${live} or (${hangs}))) end`;

/** Questions about the runs of a ticket on whose answer nothing hangs, nor will. */
export const idleQuestions = statement<{ id: string }>(
  'idle_questions',
  `select q.id from questions q
    where q.tenant_id = $1 and q.state = 'pending' and ${isIdle}
      and (q.kind = 'ask' and q.ticket_id = $2
           or exists (select from runs o where o.tenant_id = q.tenant_id and o.ticket_id = $2 and o.halt ->> 'questionId' = q.id::text))`,
);

export const idleQuestion = statement<{ id: string }>(
  'idle_question',
  `select q.id from questions q where q.tenant_id = $1 and q.id = $2 and q.state = 'pending' and ${isIdle}`,
);

const olderThan = (time: string, times = 1) => `${time} < clock_timestamp() - make_interval(secs => ${times} * $1::int / 1000.0)`;

/** A budget that has been given more since it was asked about, for longer than $1 ms. */
const isRaised = `date_trunc('milliseconds', b.updated_at) > q.created_at and ${olderThan('b.updated_at')}
  and coalesce(b.spent_microusd < b.cap_microusd, true) and coalesce(b.spent_tokens < b.cap_tokens, true)`;

/**
 * Questions that wait in vain: on whose answer nothing hangs, for longer than ten times $1 ms; and about a budget that a person has removed or raised by other means for longer than $1 ms. What hangs on those tries again once they are over.
 */
export const questionsInVain = statement<{ tenantId: string; id: string }>(
  'questions_in_vain',
  `select q.tenant_id, q.id from questions q
    where q.state = 'pending' and ${olderThan('q.created_at')} and case
      when ${isIdle} then ${olderThan('q.created_at', 10)}
      else q.kind = 'budget' and not exists (
        select from budgets b where b.tenant_id = q.tenant_id and b.id::text = q.subject_id and not (${isRaised})) end
    order by q.created_at limit 100`,
);

/** Work that was parked, or that a run that broke off has left, and that was taken in: what later attempts build on. */
export const resumedWork = statement<{ id: string; ticketId: string; bundle: string; at: Date }>(
  'resumed_work',
  `select r.id, r.ticket_id, r.result ->> 'bundle' as bundle, r.ended_at as at from runs r
     join tickets t on t.tenant_id = r.tenant_id and t.id = r.ticket_id
    where r.tenant_id = $1 and t.project_id = $2 and t.spec_id is not distinct from $3 and (r.resumed or r.carried)
      and r.resume_sha = r.result ->> 'head' and r.result ->> 'bundle' is not null order by r.ended_at`,
);

/** The last attempt at a ticket, where it is later than attempt $3. */
export const laterRun = statement<{ id: string; attempt: number; state: string }>(
  'later_run',
  `select id, attempt, state from runs
    where tenant_id = $1 and subject_type = 'ticket' and subject_id = $2 and attempt > $3 order by attempt desc limit 1`,
);
