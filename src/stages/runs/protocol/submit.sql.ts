import { statement } from '../../../db/statement.ts';
import { ticketFollowsSubmission } from '../../tickets/index.ts';
import { heldByEach, runColumns, type RunRow } from '../runs.sql.ts';

/** So many submissions are taken in by one statement at the most. */
export const submissionsAtOnceMax = 16;

const payload = `'subject', subject_id, 'subjectType', subject_type, 'ticketId', ticket_id, 'attempt', attempt, 'state', state,
                            'head', result ->> 'head', 'bundle', result ->> 'bundle'`;

/**
 * Takes in what the holders of tickets' runs hand in, where nothing stands in the way of it: run, ticket, both events, and the tasks
 * $6 that follow from run.submitted, in one statement and so one commit; claims that wait are told once. What it does not answer,
 * submitRun has to look at: who asks holds no lease, the ticket may not go on, the bundle is not there, or the rows are locked by
 * somebody else right now. The submissions are $2 to $5: run, hash of the lease token, result, actor.
 *
 * The ticket goes from a state in which its epic runs to another such, so the epic is not looked at. How many there are is hidden from
 * the planner, who would make a plan for each number of them, which takes longer than the work.
 */
export const submitRuns = statement<RunRow & { turn: number }>(
  'submit_runs',
  `with asked as materialized (
     select n as turn, ($2::uuid[])[n] as run_id, ($3::bytea[])[n] as token_hash, ($4::text[])[n]::jsonb as result
       from generate_series(1, (select cardinality($2::uuid[]))) as n limit ${submissionsAtOnceMax}
   ), held as materialized (
     select h.id, a.turn, a.result
       from asked a cross join lateral (
         select r.id from runs r join tickets t on t.tenant_id = r.tenant_id and t.id = r.subject_id
          where ${heldByEach('a.run_id', 'a.token_hash')}
            and r.subject_type = 'ticket' and r.halt is null and t.status in ('claimed', 'running')
            and (a.result ->> 'bundle' is null
              or exists (select from blobs b where b.tenant_id = $1 and b.run_id = r.id and b.kind = 'bundle' and b.sha256 = a.result ->> 'bundle'))
            for no key update of r, t skip locked) h
   ), submitted as (
     update runs r set state = 'submitted', result = h.result, lease_expires_at = null
       from held h where r.tenant_id = $1 and r.id = h.id returning ${runColumns}, h.turn
   ), followed as (${ticketFollowsSubmission}
   ), logged as (
     insert into events (tenant_id, type, subject_type, subject_id, actor, payload)
     select tenant_id, 'ticket.verifying', 'ticket', id, ($5::text[])[turn], jsonb_build_object('status', 'verifying') from followed
     union all
     select tenant_id, 'run.submitted', 'run', id::text, ($5::text[])[turn], jsonb_build_object(${payload}) from submitted
   ), begun as materialized (
     select enqueue_jobs(array_agg(follows.verb),
                         array_agg(json_build_object('type', 'run.submitted', 'tenantId', tenant_id, 'subject', json_build_object('type', 'run', 'id', id),
                                                     'payload', json_build_object(${payload}))))
       from submitted cross join unnest((select $6::text[])) as follows (verb)
   ), told as materialized (select tell_claims($1::uuid) from submitted limit 1)
   select submitted.* from submitted where (select count(*) from begun) >= 0 and (select count(*) from told) >= 0`,
);

/** Types of events that submit_runs writes by itself; those of the run start what the flow says. */
export const submitEvents = ['ticket.verifying'] as const;
