import { query } from './database.ts';

/** A row that is not over, and that nothing will ever move. */
export interface Ownerless {
  readonly kind: string;
  readonly id: string;
  readonly state: string;
}

/**
 * Every row that is not over has a lease, a due time, a place in the queue, a job that waits, or waits on a named row that lives.
 * What waits for a person counts as owned: a session before its build, what a failed ticket (to be retried) holds up. A session
 * whose epic is completed waits for its result, which nobody submits until that stage exists.
 */
export function ownerless(superuserUrl: string): Promise<Ownerless[]> {
  return query<Ownerless>(superuserUrl, text);
}

const live = `('queued', 'leased', 'starting', 'working', 'submitted', 'parked')`;

/** A job of this task for this subject that will still be tried. */
const job = (tasks: string, tenant: string, subject: string) => `exists (
  select from graphile_worker._private_jobs j join graphile_worker._private_tasks k on k.id = j.task_id
   where k.identifier in (${tasks}) and j.payload ->> 'tenantId' = ${tenant}::text and j.payload -> 'subject' ->> 'id' = ${subject}::text
     and j.attempts < j.max_attempts)`;

const hasRun = (states: string) => `exists (
  select from runs r where r.tenant_id = t.tenant_id and r.subject_type = 'ticket' and r.subject_id = t.id and r.state in ${states})`;

const needs = (which: string) => `exists (
  select from ticket_dependencies d join tickets n on n.tenant_id = d.tenant_id and n.id = d.needs_id
   where d.tenant_id = t.tenant_id and d.ticket_id = t.id and ${which})`;

const text = `
  select 'session' as kind, s.id::text as id, s.state from sessions s
   where s.state = 'building' and not exists (
     select from tickets t where t.tenant_id = s.tenant_id and t.session_id = s.id and t.type = 'epic' and t.status <> 'cancelled')
  union all
  select 'spec', p.id::text, p.status from specs p join sessions s on s.tenant_id = p.tenant_id and s.id = p.session_id
   where p.status not in ('completed', 'failed', 'cancelled')
     and not ${job(`'cancelSpec'`, 'p.tenant_id', 's.id')}
     and not case p.status
       when 'planning_complete' then s.state in ('clarifying', 'reviewing', 'approved')
       when 'executing_tasks' then s.state = 'building'
       else exists (select from runs r where r.tenant_id = p.tenant_id and r.subject_id = p.id::text and r.state in ${live}) end
  union all
  select 'ticket', t.id, t.status from tickets t
   where t.status not in ('completed', 'failed', 'cancelled') and t.type = 'epic'
     and not exists (select from tickets c where c.tenant_id = t.tenant_id and c.parent_id = t.id
                        and c.status not in ('completed', 'cancelled'))
  union all
  select 'ticket', t.id, t.status from tickets t
   where t.status not in ('completed', 'failed', 'cancelled') and t.type <> 'epic'
     and not (t.session_id is not null and ${job(`'cancelTickets'`, 't.tenant_id', 't.session_id')})
     and not case t.status
       when 'blocked' then ${needs(`n.status <> 'completed'`)} and not ${needs(`n.status = 'cancelled'`)}
       when 'ready' then ${hasRun(`('queued')`)} or ${job(`'queueRun'`, 't.tenant_id', 't.id')}
       when 'claimed' then ${hasRun(`('leased', 'starting')`)}
       when 'running' then ${hasRun(`('working')`)}
       when 'verifying' then ${hasRun(`('submitted')`)}
       when 'waiting' then ${hasRun(`('parked')`)}
       else false end
  union all
  select 'run', r.id::text, r.state from runs r left join tickets t on t.tenant_id = r.tenant_id and t.id = r.subject_id
   where r.state in ${live}
     and not ${job(`'withdrawRuns'`, 'r.tenant_id', 'r.subject_id')}
     and not case
       when r.state = 'queued' then r.due_at is not null and t.status = 'ready'
       when r.state in ('leased', 'starting') then r.lease_expires_at is not null and t.status = 'claimed'
       when r.state = 'working' then r.lease_expires_at is not null and t.status = 'running'
       when r.state = 'submitted' then ${job(`'acceptRun'`, 'r.tenant_id', 'r.id')}
       else false end`;
