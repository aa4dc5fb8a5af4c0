import type { AttemptEnd } from '../../../../contract/runs.ts';
import { statement } from '../../../db/statement.ts';
import type { Ended } from '../model/retry.ts';
import type { RunState } from '../model/run.ts';
import { endedAgo, isOfThisBeginning, isStopped, type RunRow, runColumns } from '../runs.sql.ts';

/** Looks at the clock again: of two servers that take back the same lease one does, and a renewal in between wins. */
export const loseRunRow = statement<RunRow>(
  'lose_run',
  `update runs r set state = 'lost', lease_expires_at = null, ended_at = clock_timestamp()
    where r.tenant_id = $1 and r.id = $2 and r.lease_expires_at < clock_timestamp() returning ${runColumns}`,
);

/** The same for a claim whose holder is known to be dead, whatever is left of its lease. */
export const buryRunRow = statement<RunRow>(
  'bury_run',
  `update runs r set state = 'lost', lease_expires_at = null, ended_at = clock_timestamp()
    where r.tenant_id = $1 and r.id = $2 and r.fence = $3 and r.lease_expires_at is not null returning ${runColumns}`,
);

/** How the last $4 runs of a subject ended, newest first, of those that were queued after $5. No person resumes any of them. */
export const lastRunsSince = statement<Ended & { state: RunState }>(
  'last_runs_since',
  `select r.state, r.failure_class, ${endedAgo('r')} from runs r
    where r.tenant_id = $1 and r.subject_type = $2 and r.subject_id = $3 and r.created_at > $5
      and r.state in ('failed', 'lost', 'submitted', 'returned', 'accepted')
    order by r.attempt desc limit $4`,
);

/** A run that is over, or parked, hangs on a question from here on. */
export const haltEndedRow = statement<object>(
  'halt_ended_run',
  `update runs set halt = $3::jsonb where tenant_id = $1 and id = $2 and state in ('failed', 'lost', 'parked') and not resumed`,
);

/** What a dead worker left behind of a run, the last that was saved, and whether its agent's conversation was. */
export const remainsOfRun = statement<{ rescue: string | null; hasConversation: boolean }>(
  'remains_of_run',
  `select (select b.sha256 from blobs b where b.tenant_id = $1 and b.run_id = $2 and b.kind = 'rescue' order by b.created_at desc limit 1) as rescue,
          exists (select from blobs b where b.tenant_id = $1 and b.run_id = $2 and b.kind = 'artifact' and b.name = $3) as has_conversation`,
);

/**
 * That the next attempt can still begin from what run r left: its ticket waits for that, or was sent back without it and nobody has
 * taken up the next attempt. From one that a person has cancelled it begins where a person says so.
 */
const canCarry = `(r.state in ('failed', 'lost') and r.retried is distinct from 'anew' or r.state = 'cancelled' and r.retried = 'go_on') and r.subject_type = 'ticket' and not r.resumed and not r.carried
  and exists (
    select from tickets t where t.tenant_id = r.tenant_id and t.id = r.subject_id and t.status in ('claimed', 'running', 'ready')
       and not exists (
         select from runs later where later.tenant_id = r.tenant_id and later.subject_type = 'ticket' and later.subject_id = r.subject_id
            and later.attempt > r.attempt and (later.state <> 'queued' or t.status <> 'ready')))`;

export const runToCarry = statement<RunRow>(
  'run_to_carry',
  `select ${runColumns} from runs r where r.tenant_id = $1 and r.id = $2 and ${canCarry}`,
);

/** The next attempt at the subject of run $2, while nobody has taken it up; nobody does until the transaction ends. */
export const holdNextAttempt = statement<{ id: string }>(
  'hold_next_attempt',
  `select later.id from runs r join runs later on later.tenant_id = r.tenant_id and later.subject_type = r.subject_type
      and later.subject_id = r.subject_id and later.attempt > r.attempt
    where r.tenant_id = $1 and r.id = $2 and later.state = 'queued' for no key update of later`,
);

/** $4: where the next attempt goes on; $5: what was handed in, where it was a dead worker's rest. */
export const carryRunRow = statement<RunRow>(
  'carry_run',
  `update runs r set carried = true, feedback = $3::jsonb, resume_sha = $4, result = coalesce($5::jsonb, r.result)
    where r.tenant_id = $1 and r.id = $2 and ${canCarry} returning ${runColumns}`,
);

/** The next attempt at the subject of run $2 waits for nothing any more. */
export const hurryNextAttempt = statement<object>(
  'hurry_next_attempt',
  `update runs later set due_at = clock_timestamp() from runs r
    where r.tenant_id = $1 and r.id = $2 and later.tenant_id = r.tenant_id and later.subject_type = r.subject_type
      and later.subject_id = r.subject_id and later.attempt > r.attempt and later.state = 'queued' and later.due_at > clock_timestamp()`,
);

/** The run that was stopped, and from which ticket $2 is to go on; none where it does already. */
export const stoppedRunToCarry = statement<RunRow & { ageMs: number }>(
  'stopped_run_to_carry',
  `select ${runColumns}, ${endedAgo('r')} from runs r
    where r.tenant_id = $1 and r.subject_type = 'ticket' and r.subject_id = $2 and ${isStopped} and r.retried = 'go_on' and not r.carried
      and not exists (select from runs later where later.tenant_id = r.tenant_id and later.subject_type = 'ticket'
                         and later.subject_id = r.subject_id and later.attempt > r.attempt)`,
);

/** The run of a subject from what it left attempt $4 goes on: the last before it, but for those that never began to work. */
export const continuedBefore = statement<{ runId: string; conversation: boolean; ended: AttemptEnd }>(
  'continued_before',
  `select r.id as run_id, exists (
            select from blobs b where b.tenant_id = r.tenant_id and b.run_id = r.id and b.kind = 'artifact' and b.name = $5) as conversation,
          case when r.carried or r.halt ->> 'kind' = 'recovery' then 'broken_off' when r.resumed then 'answered' else 'returned' end as ended
     from (select * from runs
            where tenant_id = $1 and subject_type = $2 and subject_id = $3 and attempt < $4 and ended_at is not null and (state <> 'cancelled' or carried)
              and ${isOfThisBeginning} and (carried or resumed or state = 'returned' or started_at is not null)
            order by attempt desc limit 1) r
    where r.carried or r.resumed or r.state = 'returned'`,
);

/** How long ago the holder was last heard: what the lease has lost since it was last made $1 ms long. */
const silence = `make_interval(secs => $1::int / 1000.0) - (r.lease_expires_at - clock_timestamp())`;

/**
 * How many heartbeats of $2 ms a holder has missed that works. Half a beat is given: one that comes a moment late was not missed.
 * What is only starting is judged by nothing but its lease.
 */
const missed = `case when r.state = 'working'
  then greatest(0, floor(extract(epoch from ${silence}) * 1000 / $2::int - 0.5))::int else 0 end`;

const healthNow = `case ${missed} when 0 then 'ok' when 1 then 'late' else 'degraded' end`;

/** Runs whose health is another than is written down: few are silent at any time, and the others are passed by in the index. */
export const runsOfOtherHealth = statement<{ tenantId: string; id: string }>(
  'runs_of_other_health',
  `select r.tenant_id, r.id from runs r
    where r.state in ('leased', 'starting', 'working') and r.lease_expires_at > clock_timestamp() and r.health <> ${healthNow}
      and (r.health <> 'ok' or r.lease_expires_at < clock_timestamp() + make_interval(secs => ($1::int - $2::int) / 1000.0))
    limit $3`,
);

export const judgeHealthRow = statement<RunRow & { missed: number }>(
  'judge_health',
  `update runs r set health = ${healthNow}
    where r.tenant_id = $3 and r.id = $4 and r.lease_expires_at > clock_timestamp() and r.health <> ${healthNow}
    returning ${runColumns}, ${missed} as missed`,
);
