import { statement } from '../../../db/statement.ts';
import { ticketFollowsClaim } from '../../tickets/index.ts';
import { claimedColumns, leaseUntil, type RunRow, type unbegun } from '../runs.sql.ts';

/** So many rows are looked at one by one, in the order of the queue, before it is asked lane by lane. */
const nearCountMax = 20;
/** Of what the lanes offer, so many are looked at. */
const offerCountMax = 1_000;

type NewlyClaimed = Omit<RunRow, keyof typeof unbegun>;

const hasRoom = `(r.project_id is null or r.project_id <> all ((select projects from bars)::uuid[]))
  and (r.agent is null or r.agent <> all ((select agents from bars)::text[]))`;

/** That a ticket's files are touched by nobody else's run: the same file, or one in a folder that the other names. */
const isFree = `(r.subject_type <> 'ticket' or r.id = any ((select aged from bars)::uuid[])
  or files_are_free((select busy from bars), t.project_id, t.files || t.observed))`;

const order = (of: string) => `${of}.priority desc, ${of}.chain desc, ${of}.created_at, ${of}.id`;
const queued = `r.tenant_id = $1 and r.state = 'queued'`;

/** The rows of the queue that `offered` names, locked with their tickets; the first that fits. */
const firstOf = (offered: string) => `
     select r.id from ${offered} join runs r on r.tenant_id = $1 and r.id = o.id join tickets t on t.tenant_id = r.tenant_id and t.id = r.ticket_id
      where r.state = 'queued' and t.status = r.ticket_status and r.due_at <= clock_timestamp()
        and case when r.requires <@ $4::text[] then ${hasRoom} and ${isFree} end
      order by ${order('o')} limit 1 for no key update of r, t skip locked`;

/** Both events of each claim. */
const claimLog = (worker: string) => `
     insert into events (tenant_id, type, subject_type, subject_id, actor, payload)
     select tenant_id, 'run.leased', 'run', id::text, 'worker:' || worker,
            jsonb_build_object('subject', subject_id, 'subjectType', subject_type, 'ticketId', ticket_id, 'attempt', attempt, 'fence', fence)
       from claimed
     union all
     select tenant_id, 'ticket.claimed', 'ticket', id, 'worker:' || ${worker}, jsonb_build_object('status', 'claimed', 'attempts', attempts)
       from followed`;

/**
 * Takes the first due run that this worker can do, and that nothing holds back: lease, fence, the ticket and both events, in one
 * statement and so one commit. The ticket's row is locked with the run's: one that is being cancelled or blocked right now is passed
 * over, as is one that has left the status in which this run makes sense. Runs of no ticket go first; there are few.
 *
 * Where none of the first in the queue can be claimed, the queue is asked lane by lane (lane_offers).
 * The CASE hides from the planner how few it would expect: it would sort what it can walk to the first.
 */
export const claimRun = statement<NewlyClaimed>(
  'claim_run',
  `with bars as materialized (
     select * from claim_bars($1, $2)
   ), of_no_ticket as materialized (
     select r.id from runs r
      where ${queued} and r.ticket_id is null and r.due_at <= clock_timestamp()
        and r.requires <@ $4::text[] and $6::text is null and not (select is_shut from bars) and ${hasRoom}
      order by r.priority desc, r.created_at, r.id
      limit 1 for no key update of r skip locked
   ), near as materialized (${firstOf(`(
       select r.id, r.priority, r.chain, r.created_at from runs r
        where ${queued} and r.due_at <= clock_timestamp() and not (select is_shut from bars) and not exists (select from of_no_ticket)
          and case when $6::text is null then true else r.ticket_id = $6 and r.subject_type = 'ticket' end
        order by ${order('r')} limit ${nearCountMax}) o`)}
   ), offered as materialized (
     select o.* from bars b
       cross join lateral lane_offers($1, $4, b.projects, b.agents, b.busy, b.aged) o
      where not b.is_shut and $6::text is null and not exists (select from of_no_ticket) and not exists (select from near)
   ), far as materialized (${firstOf(`(
       select o.* from offered o order by ${order('o')} limit ${offerCountMax}) o`)}
   ), picked as (
     select id from of_no_ticket union all select id from near union all select id from far
   ), claimed as (
     update runs r set state = 'leased', worker = $2, lease_token_hash = $3, run_token_hash = $7, fence = nextval('run_fences'),
            lease_expires_at = ${leaseUntil('$5')}, leased_at = clock_timestamp()
       from picked where r.tenant_id = $1 and r.id = picked.id returning ${claimedColumns}
   ), followed as (${ticketFollowsClaim}
   ), logged as (${claimLog('$2')}
   )
   select * from claimed`,
);

/** So many claims are made by one statement at the most. */
export const claimsAtOnceMax = 16;

/**
 * The same for several who can do the same, where nothing holds claims back and the first of the queue are of tickets and fit: what
 * comes first goes to the first of them. It answers fewer rows than it was asked for, or none, where claim_run has to look closer. The
 * wishes are $4 to $6: worker, hash of the lease token, hash of the run token.
 *
 * How many they are, and what they can do, is hidden from the planner (the second select of the limit, the CASE): it would find a plan
 * for just these cheaper, and make one each time, which takes longer than the claim.
 */
export const claimRuns = statement<NewlyClaimed & { turn: number }>(
  'claim_runs',
  `with picked as materialized (
     select r.id
       from (select r.id, r.priority, r.chain, r.created_at from runs r
              where ${queued} and r.due_at <= clock_timestamp()
                and not exists (select from brakes b where b.tenant_id = $1 and b.state <> 'off')
                and not exists (select from run_limits l where l.tenant_id = $1)
                and not exists (select from tickets f where f.tenant_id = $1 and f.status = 'ready' and (f.files <> '{}' or f.observed <> '{}'))
                and not exists (select from runs n where n.tenant_id = $1 and n.state = 'queued' and n.ticket_id is null
                                 and n.due_at <= clock_timestamp() and n.requires <@ $2::text[])
              order by ${order('r')} limit ${nearCountMax + claimsAtOnceMax}) o
       join runs r on r.tenant_id = $1 and r.id = o.id join tickets t on t.tenant_id = r.tenant_id and t.id = r.ticket_id
      where r.state = 'queued' and t.status = r.ticket_status and r.due_at <= clock_timestamp()
        and case when r.requires <@ $2::text[] then true end
      order by ${order('o')} limit (select cardinality($4::text[])) for no key update of r, t skip locked
   ), given as (
     select id, row_number() over () as turn from picked
   ), claimed as (
     update runs r set state = 'leased', worker = ($4::text[])[g.turn], lease_token_hash = ($5::bytea[])[g.turn],
            run_token_hash = ($6::bytea[])[g.turn], fence = nextval('run_fences'), lease_expires_at = ${leaseUntil('$3')},
            leased_at = clock_timestamp()
       from given g where r.tenant_id = $1 and r.id = g.id returning ${claimedColumns}, g.turn
   ), followed as (${ticketFollowsClaim}, c.worker
   ), logged as (${claimLog('followed.worker')}
   )
   select * from claimed`,
);

/** Types of events that claim_run and claim_runs write by themselves, past the flow: none of them may start a verb. */
export const claimEvents = ['run.leased', 'ticket.claimed'] as const;
