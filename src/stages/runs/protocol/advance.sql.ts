import { statement } from '../../../db/statement.ts';
import { ticketFollowsStart } from '../../tickets/index.ts';
import { heldByEach, leaseUntil, runColumns, type RunRow } from '../runs.sql.ts';

/**
 * The agent of a ticket's run is at work: lease, run, ticket and both events in one statement and so one commit. What it does not
 * answer, progress has to look at: who asks holds no lease, the run or its ticket is in another state, or somebody else has locked it.
 * The ticket goes from a state in which its epic runs to another such, so the epic is not looked at.
 */
export const beginWork = statement<RunRow>(
  'begin_work',
  `with held as materialized (
     select r.id from runs r join tickets t on t.tenant_id = r.tenant_id and t.id = r.subject_id
      where ${heldByEach('$2', '$3')} and r.subject_type = 'ticket' and r.state = any ($7::text[]) and t.status = 'claimed'
        for no key update of r, t skip locked
   ), started as (
     update runs r set state = 'working', lease_expires_at = ${leaseUntil('$4')}, sandbox = coalesce($5, r.sandbox),
            started_at = coalesce(r.started_at, clock_timestamp())
       from held where r.tenant_id = $1 and r.id = held.id returning ${runColumns}
   ), followed as (${ticketFollowsStart}
   ), logged as (
     insert into events (tenant_id, type, subject_type, subject_id, actor, payload)
     select tenant_id, 'ticket.running', 'ticket', id, $6, jsonb_strip_nulls(jsonb_build_object('status', 'running', 'sandbox', sandbox))
       from followed
     union all
     select tenant_id, 'run.started', 'run', id::text, $6,
            jsonb_build_object('subject', subject_id, 'subjectType', subject_type, 'ticketId', ticket_id, 'attempt', attempt, 'state', state,
                               'worker', worker, 'sandbox', sandbox)
       from started
   )
   select * from started`,
);

/** Types of events that begin_work writes by itself, past the flow: none of them may start a verb. */
export const beginEvents = ['ticket.running', 'run.started'] as const;
