import type { Check } from '../../../contract/projects.ts';
import type { Feedback } from '../../../contract/reviews.ts';
import type { Halt, RunPlan, RunResult } from '../../../contract/runs.ts';
import { statement } from '../../db/statement.ts';
import type { Tables } from '../../db/tables.gen.ts';
import type { Ended } from './model/retry.ts';
import type { RunState } from './model/run.ts';

type Unseen =
  | 'priority'
  | 'chain'
  | 'requires'
  | 'dueAt'
  | 'leaseTokenHash'
  | 'runTokenHash'
  | 'ticketStatus'
  | 'agedAt'
  | 'retried';

export interface RunRow extends Omit<Tables['runs'], Unseen> {
  result: RunResult | null;
  task: StoredTask | null;
  feedback: Feedback | null;
  halt: StoredHalt | null;
  report: StoredReport | null;
}

/** Why a run cannot go on. */
export interface StoredHalt {
  readonly kind: Halt['kind'];
  readonly message: string;
  readonly questionId?: string;
}

/** What an agent says of its work. */
export interface StoredReport {
  /** How many there were. */
  readonly revision: number;
  readonly status: 'done' | 'partial';
  readonly summary: string;
  readonly files: string[];
}

/** What the holder is to do, where the subject alone does not say it. */
export interface StoredTask {
  readonly projectId: string;
  /** Of a spec phase, which has no ticket that says it. */
  readonly specId?: string;
  readonly objectFormat: 'sha1' | 'sha256';
  readonly commit: string;
  /** The commit holds work of an attempt that broke off, which nobody has judged. */
  readonly hasWork?: boolean;
  readonly merge?: string;
  /** What has landed and the commit is to be merged into; of a conflict, what is to be merged. */
  readonly base?: string;
  /** The user's own commit from which the work of its spec began. */
  readonly origin?: string;
  readonly checks?: Check[];
  readonly plan?: StoredPlan;
}

/** Of a spec phase: what is to be planned, from what, and with which model. */
export interface StoredPlan {
  readonly phase: RunPlan['phase'];
  readonly input: RunPlan['input'];
  readonly model: string;
}

/** Of a run that is claimed; the rest it has not yet. */
export const claimedColumns = `r.id, r.tenant_id, r.subject_type, r.subject_id, r.ticket_id, r.attempt, r.state, r.worker, r.fence, r.lease_expires_at, r.halt,
  r.task, r.feedback, r.resume_sha, r.resumed, r.carried, r.project_id, r.agent, r.template, r.fallback_of, r.created_at, r.leased_at`;

/** Of a run that nobody has begun: what a claim need not ask for, since each column takes time at both ends of the line. */
export const unbegun = {
  ...{ sandbox: null, phase: null, phaseAt: null, health: 'ok', report: null, result: null },
  ...{ failureClass: null, failureMessage: null, startedAt: null, endedAt: null },
} as const satisfies Partial<RunRow>;

export const runColumns = `${claimedColumns}, r.sandbox, r.phase, r.phase_at, r.health, r.report, r.result, r.failure_class, r.failure_message,
  r.started_at, r.ended_at`;

/**
 * The CASE hides from the planner that there is a lease: it would read all that are held, where it believes them to be few, and not the
 * one row by its id.
 */
const isLive = 'case when r.lease_expires_at > clock_timestamp() then true end';

/**
 * The fence: every write of a holder is an update of a row of which this is true. The token is of one claim, so it cannot be
 * that of an earlier holder; an expired lease is not held even before the sweep has taken it back; time is the database's.
 */
export const heldByEach = (id: string, tokenHash: string) =>
  `r.tenant_id = $1 and r.id = ${id} and r.lease_token_hash = ${tokenHash} and ${isLive}`;
const heldBy = heldByEach('$2', '$3');

/** That a run is at a ticket, or at what came of it, such as its review: each is in another index. */
export const isOfTicket = (run: string, ticketId: string) =>
  `(${run}.subject_type = 'ticket' and ${run}.subject_id = ${ticketId} or ${run}.subject_type <> 'ticket' and ${run}.ticket_id = ${ticketId})`;

export const leaseUntil = (ms: string) => `clock_timestamp() + make_interval(secs => ${ms}::int / 1000.0)`;

/** Never sooner, and up to a quarter later: what fell together does not come back together. */
const dueIn = (ms: string) => `clock_timestamp() + make_interval(secs => ${ms}::int / 1000.0 * (1 + random() / 4))`;

export const renewLease = statement<RunRow>(
  'renew_lease',
  `update runs r set lease_expires_at = ${leaseUntil('$4')} where ${heldBy} returning ${runColumns}`,
);

export const startRunRow = statement<RunRow>(
  'start_run',
  `update runs r set lease_expires_at = ${leaseUntil('$4')}, state = $5, sandbox = coalesce($6, r.sandbox),
          started_at = case when $5 = 'working' then coalesce(r.started_at, clock_timestamp()) else r.started_at end
    where ${heldBy} and r.state = any ($7::text[]) returning ${runColumns}`,
);

/** Locks the row for a write that hangs on the lease, such as a log chunk or an upload. */
export const holdLease = statement<RunRow>('hold_lease', `select ${runColumns} from runs r where ${heldBy} for no key update`);

/** The same, and writes down what its holder has begun to do. */
export const beginPhaseRow = statement<RunRow>(
  'begin_phase_of_run',
  `update runs r set phase = $4, phase_at = clock_timestamp() where ${heldBy} returning ${runColumns}`,
);

/** Locks a run whose lease lives, for who is known to work on its behalf otherwise than by the lease. */
export const holdLiveRun = statement<RunRow>(
  'hold_live_run',
  `select ${runColumns} from runs r where r.tenant_id = $1 and r.id = $2 and ${isLive} for no key update`,
);

export const keepReportRow = statement<object>(
  'keep_report',
  'update runs set report = $3::jsonb where tenant_id = $1 and id = $2',
);

/** Tells the waiting claims in the same commit that there may be room. */
export const submitRunRow = statement<RunRow>(
  'submit_run',
  `with submitted as (
     update runs r set state = 'submitted', result = $4::jsonb, lease_expires_at = null where ${heldBy} returning ${runColumns}
   ), told as (select tell_claims($1::uuid) from submitted)
   select submitted.* from submitted left join told on true`,
);

export const failRunRow = statement<RunRow>(
  'fail_run',
  `update runs r set state = 'failed', failure_class = $4, failure_message = $5, result = coalesce($6::jsonb, r.result), lease_expires_at = null,
          ended_at = clock_timestamp()
    where ${heldBy} returning ${runColumns}`,
);

/** The run of a completion or failure that is said again because its answer was lost. */
export const runEndedByHolder = statement<RunRow>(
  'run_ended_by_holder',
  `select ${runColumns} from runs r where r.tenant_id = $1 and r.id = $2 and r.lease_token_hash = $3 and r.state = any ($4::text[])`,
);

/** Locks a run in one of these states: runs are locked before their tickets everywhere. */
export const holdRun = statement<RunRow>(
  'hold_run',
  `select ${runColumns} from runs r where r.tenant_id = $1 and r.id = $2 and r.state = any ($3::text[]) for no key update`,
);

export const endRunRow = statement<RunRow>(
  'end_run',
  `update runs r set state = $3, lease_expires_at = null, ended_at = clock_timestamp()
    where r.tenant_id = $1 and r.id = $2 and r.state = any ($4::text[]) returning ${runColumns}`,
);

/** Expired leases, oldest first. */
export const expiredRuns = statement<{ tenantId: string; id: string }>(
  'expired_runs',
  `select tenant_id, id from runs where state in ('leased', 'starting', 'working') and lease_expires_at < clock_timestamp()
    order by lease_expires_at limit $1`,
);

const projectOfSubject = `coalesce((select t.project_id from tickets t where t.tenant_id = $1 and t.id = $4), ($9::jsonb ->> 'projectId')::uuid)`;

/** One live run a subject: a second insert does nothing. Tells the waiting claims in the same commit. */
export const insertRun = statement<RunRow>(
  'insert_run',
  `with queued as (
     insert into runs as r (tenant_id, subject_type, subject_id, attempt, state, ticket_id, ticket_status, priority, chain, requires, task,
                            project_id, agent, due_at, template, fallback_of)
     select $1, $2, $3, 1 + coalesce(max(attempt), 0), 'queued', $4, $5, $6, $7,
            $8::text[] || array(select 'label:' || l from projects p, unnest(p.labels) as l
                                 where p.tenant_id = $1 and p.id = ${projectOfSubject} order by l)
                      || array(select 'isolation:' || p.isolation from projects p
                                where p.tenant_id = $1 and p.id = ${projectOfSubject} and p.isolation <> 'none'),
            $9::jsonb, ${projectOfSubject},
            (select substring(need from 7) from unnest($8::text[]) as need where need like 'agent:%' limit 1), ${dueIn('$10')}, $11, $12
       from runs where tenant_id = $1 and subject_type = $2 and subject_id = $3
     on conflict do nothing returning ${runColumns}
   ), told as (select pg_notify('skep_runs', $1::text) from queued)
   select queued.* from queued left join told on true`,
);

/** The next attempt at the subject of run $2, which is over: everything as it was. */
export const requeueRunRow = statement<RunRow>(
  'requeue_run',
  `with queued as (
     insert into runs as r (tenant_id, subject_type, subject_id, attempt, state, ticket_id, ticket_status, priority, chain, requires, task,
                            project_id, agent, due_at, template, fallback_of)
     select tenant_id, subject_type, subject_id, attempt + 1, 'queued', ticket_id, ticket_status, priority, chain, requires, task,
            project_id, agent, ${dueIn('$3')}, template, fallback_of
       from runs where tenant_id = $1 and id = $2
     on conflict do nothing returning ${runColumns}
   ), told as (select pg_notify('skep_runs', $1::text) from queued)
   select queued.* from queued left join told on true`,
);

/** What was begun goes before what was not: more than the longest chain of tickets can have. */
export const begunChain = 100_000;

const chainNow = `t.chain + case when t.attempts > 0 then ${begunChain} else 0 end`;

/** Brings waiting runs to the places that their tickets now give them. */
export const reorderRunRows = statement<object>(
  'reorder_runs',
  `update runs r set priority = t.priority, chain = ${chainNow} from tickets t
    where r.tenant_id = $1 and r.state = 'queued' and r.subject_type = 'ticket' and t.tenant_id = r.tenant_id and t.id = r.subject_id
      and r.aged_at is null and (r.priority, r.chain) <> (t.priority, ${chainNow})`,
);

/** What a trunk that has become ready lets go on, in the order in which it was made. */
export const readyTicketsOfTrunk = statement<{ id: string }>(
  'ready_tickets_of_trunk',
  `select t.id from tickets t join trunks k on k.tenant_id = t.tenant_id and k.project_id = t.project_id and k.spec_id is not distinct from t.spec_id
    where k.tenant_id = $1 and k.id = $2 and t.status = 'ready' order by t.number`,
);

/** How long ago a run ended, in milliseconds; one that waits for its verdict has only just. */
export const endedAgo = (run: string) =>
  `coalesce(round(extract(epoch from clock_timestamp() - ${run}.ended_at) * 1000), 0)::float8 as age_ms`;

/** How the last $4 runs of a subject ended, newest first. What stood in the way of a resumed one was cleared: it did not fail. */
export const lastRunsOf = statement<Ended & { state: RunState | 'resumed' }>(
  'last_runs_of',
  `select case when r.resumed then 'resumed' else r.state end as state, r.failure_class, ${endedAgo('r')} from runs r
    where r.tenant_id = $1 and r.subject_type = $2 and r.subject_id = $3
      and r.state in ('failed', 'lost', 'submitted', 'returned', 'accepted')
    order by r.attempt desc limit $4`,
);

/** A person, or a limit of its template, has stopped the run: where it is tried again it goes on. */
export const isStopped = `(r.state = 'cancelled' or r.failure_class = 'limit')`;

/** That an attempt counts at subject $2, $3: none does up to one after which a person had it begun anew. */
export const isOfThisBeginning = `attempt > coalesce((
  select max(gone.attempt) from runs gone
   where gone.tenant_id = $1 and gone.subject_type = $2 and gone.subject_id = $3 and gone.retried = 'anew'), 0)`;

/**
 * The last attempt that was handed in and sent back, that a person has let go on, or that broke off: what the next one is told, and
 * where it goes on. One that ended without its work says itself where that is.
 */
export const lastReturnedRun = statement<{ feedback: Feedback | null; resumeSha: string | null; hasWork: boolean }>(
  'last_returned_run',
  `select feedback, case when state = 'returned' then coalesce(resume_sha, task ->> 'commit') else resume_sha end as resume_sha,
          (carried or resumed) and resume_sha is not null and (resume_sha <> task ->> 'commit' or coalesce((task ->> 'hasWork')::bool, false)) as has_work
     from runs
    where tenant_id = $1 and subject_type = $2 and subject_id = $3 and (state = 'returned' or resumed or carried) and ${isOfThisBeginning}
    order by attempt desc limit 1`,
);

/** Attempts at a subject that were sent back, of those that were queued after $4. */
export const returnedSince = statement<{ count: number }>(
  'returned_since',
  `select count(*) from runs
    where tenant_id = $1 and subject_type = $2 and subject_id = $3 and state = 'returned' and not resumed and created_at > $4`,
);

export const submittedRun = statement<RunRow>(
  'submitted_run',
  `select ${runColumns} from runs r where r.tenant_id = $1 and r.subject_type = 'ticket' and r.subject_id = $2 and r.state = 'submitted'`,
);

export const returnRunRow = statement<RunRow>(
  'return_run',
  `update runs r set state = 'returned', feedback = $3::jsonb, resume_sha = $4, ended_at = clock_timestamp()
    where r.tenant_id = $1 and r.id = $2 and r.state = 'submitted' returning ${runColumns}`,
);

/**
 * Ends what still runs or waits for a ticket that may not go on; $3 are the ticket's statuses for which that holds. Both rows are
 * locked, so that both are looked at as they are now: a ticket that was released and claimed meanwhile keeps its run.
 */
export const cancelRunsOfTicket = statement<RunRow>(
  'cancel_runs_of_ticket',
  `with stopped as materialized (
     select r.id from tickets t join runs r on r.tenant_id = t.tenant_id and ${isOfTicket('r', '$2')}
      where t.tenant_id = $1 and t.id = $2 and t.status = any ($3::text[])
        and r.state in ('queued', 'leased', 'starting', 'working', 'submitted', 'parked')
        for no key update of r for share of t
   )
   update runs r set state = 'cancelled', lease_expires_at = null, ended_at = clock_timestamp()
     from stopped where r.tenant_id = $1 and r.id = stopped.id returning ${runColumns}`,
);

/** Ends all that runs or waits for a ticket, whatever becomes of that. */
export const endRunsOfTicket = statement<RunRow>(
  'end_runs_of_ticket',
  `update runs r set state = $3, lease_expires_at = null, ended_at = clock_timestamp()
    where r.tenant_id = $1 and ${isOfTicket('r', '$2')} and r.state = any ($4::text[]) returning ${runColumns}`,
);

/** What a ticket's run is to begin from, as its holder was told: the trunk moves on, and this does not. */
export const keepTaskRow = statement<object>('keep_task', `update runs r set task = $4::jsonb where ${heldBy}`);

export const parkRunRow = statement<RunRow>(
  'park_run',
  `update runs r set state = 'parked', result = $4::jsonb, halt = $5::jsonb, lease_expires_at = null where ${heldBy} returning ${runColumns}`,
);

/** The first halt stands: what comes after it is its consequence. */
export const haltRunRow = statement<{ id: string }>(
  'halt_run',
  `update runs set halt = $3::jsonb where tenant_id = $1 and id = $2 and halt is null and lease_expires_at is not null returning id`,
);

/** Gives a claim back that reached nobody: the same run waits again, as unbegun as before, and its token is worth nothing. */
export const unclaimRunRow = statement<RunRow>(
  'unclaim_run',
  `update runs r set state = 'queued', worker = null, lease_token_hash = null, run_token_hash = null, lease_expires_at = null, leased_at = null,
          sandbox = null, phase = null, phase_at = null, health = 'ok', report = null,
          task = case when r.subject_type = 'ticket' then null else r.task end
    where ${heldBy} and r.state = 'leased' returning ${runColumns}`,
);

const olderThan = (time: string, times = 1) => `${time} < now() - make_interval(secs => ${times} * $1::int / 1000.0)`;

/** Nets under the jobs: what an event should have started and, for longer than $1 ms, has not. */
export const readyWithoutRun = statement<{ tenantId: string; id: string }>(
  'ready_without_run',
  `select t.tenant_id, t.id from tickets t
    where t.status = 'ready' and ${olderThan('t.updated_at')}
      and not exists (select from trunks k where k.tenant_id = t.tenant_id and k.project_id = t.project_id
                       and k.spec_id is not distinct from t.spec_id and k.state <> 'ready')
      and not exists (select from runs r where r.tenant_id = t.tenant_id and r.subject_type = 'ticket' and r.subject_id = t.id
                       and r.state in ('queued', 'leased', 'starting', 'working', 'submitted', 'parked'))
    order by t.updated_at limit 100`,
);

/** What a run has left is taken in before its ticket is sent back: on a server that must fetch the repository first that takes a while. */
const isTakenIn = `r.state in ('failed', 'lost') and not r.carried and not ${olderThan('r.ended_at', 8)}
  and (r.result ->> 'bundle' is not null
    or exists (select from blobs b where b.tenant_id = r.tenant_id and b.run_id = r.id and b.kind in ('rescue', 'artifact')))`;

export const inWorkWithoutRun = statement<{ tenantId: string; id: string }>(
  'in_work_without_run',
  `select t.tenant_id, t.id from tickets t
    where t.status in ('claimed', 'running', 'verifying') and t.type <> 'epic' and ${olderThan('t.updated_at')}
      and not exists (select from runs r where r.tenant_id = t.tenant_id and r.subject_type = 'ticket' and r.subject_id = t.id
                       and (r.state in ('leased', 'starting', 'working', 'submitted', 'parked') or not ${olderThan('r.ended_at')} or (${isTakenIn})))
    order by t.updated_at limit 100`,
);

/** Whether anything is due that somebody who waits could take. */
export const anythingDue = statement<{ due: boolean }>(
  'anything_due',
  `select exists (select from runs where tenant_id = $1 and state = 'queued' and due_at <= clock_timestamp()) as due`,
);

export const runById = statement<RunRow>('run_by_id', `select ${runColumns} from runs r where r.tenant_id = $1 and r.id = $2`);

export const logSize = statement<{ size: number }>(
  'log_size',
  `select chunk_offset + length(bytes) as size from run_logs where tenant_id = $1 and run_id = $2 order by chunk_offset desc limit 1`,
);

export const insertLogChunk = statement<object>(
  'insert_log_chunk',
  'insert into run_logs (tenant_id, run_id, chunk_offset, bytes) values ($1, $2, $3, $4)',
);

/** Chunks from the one that holds byte $3 on. */
export const logChunks = statement<{ chunkOffset: number; bytes: Buffer }>(
  'log_chunks',
  `select chunk_offset, bytes from run_logs
    where tenant_id = $1 and run_id = $2
      and chunk_offset >= coalesce((select max(chunk_offset) from run_logs where tenant_id = $1 and run_id = $2 and chunk_offset <= $3), 0)
    order by chunk_offset limit $4`,
);

export const insertBlob = statement<object>(
  'insert_blob',
  `insert into blobs (tenant_id, run_id, sha256, size, kind) values ($1, $2, $3, $4, $5) on conflict do nothing`,
);

export const blobOfRun = statement<{ sha256: string; size: number }>(
  'blob_of_run',
  `select sha256, size from blobs where tenant_id = $1 and run_id = $2 and kind = 'bundle' and sha256 = $3`,
);
