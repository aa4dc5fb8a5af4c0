import { query } from './database.ts';

/** A row that is not over, and that nothing will ever move. */
export interface Ownerless {
  readonly kind: string;
  readonly id: string;
  readonly state: string;
}

/**
 * Every row that is not over has a lease, a due time, a place in the queue, a job that waits, or waits on a named row that lives.
 * What waits for a person counts as owned: a session before its build, what a failed ticket (to be retried) holds up, a trunk that
 * was refused, a change that was flagged, a result that was rejected.
 */
export function ownerless(superuserUrl: string): Promise<Ownerless[]> {
  return query<Ownerless>(superuserUrl, text);
}

/** For the end of a test: throws, with the rows, where there are any. */
export async function refuseOwnerless(superuserUrl: string): Promise<void> {
  const left = await ownerless(superuserUrl);
  if (left.length > 0) throw new Error(`Nothing will ever move these rows: ${JSON.stringify(left)}`);
}

const live = `('queued', 'leased', 'starting', 'working', 'submitted', 'parked')`;

/** A job of this task for this subject that will still be tried. */
const job = (tasks: string, tenant: string, subject: string) => `exists (
  select from graphile_worker._private_jobs gj join graphile_worker._private_tasks gt on gt.id = gj.task_id
   where gt.identifier in (${tasks}) and gj.payload ->> 'tenantId' = ${tenant}::text and gj.payload -> 'subject' ->> 'id' = ${subject}::text
     and gj.attempts < gj.max_attempts)`;

const hasRun = (states: string) => `exists (
  select from runs r where r.tenant_id = t.tenant_id and r.subject_type = 'ticket' and r.subject_id = t.id and r.state in ${states})`;

/** A run of the ticket broke off: a job takes in what it left before the next attempt. */
const leavesWork = `exists (
  select from runs r where r.tenant_id = t.tenant_id and r.subject_type = 'ticket' and r.subject_id = t.id and r.state in ('failed', 'lost')
     and not r.carried and ${job(`'resumeRun'`, 'r.tenant_id', 'r.id')})`;

const needs = (which: string) => `exists (
  select from ticket_dependencies d join tickets n on n.tenant_id = d.tenant_id and n.id = d.needs_id
   where d.tenant_id = t.tenant_id and d.ticket_id = t.id and ${which})`;

/** A job of this task whose event speaks of this trunk. */
const jobOfTrunk = (tasks: string, tenant: string, trunk: string) => `exists (
  select from graphile_worker._private_jobs gj join graphile_worker._private_tasks gt on gt.id = gj.task_id
   where gt.identifier in (${tasks}) and gj.payload ->> 'tenantId' = ${tenant}::text
     and (gj.payload -> 'payload' ->> 'trunkId' = ${trunk}::text or gj.payload -> 'subject' ->> 'id' = ${trunk}::text)
     and gj.attempts < gj.max_attempts)`;

/** A job of this task for the run of this subject. */
const jobOfSubject = (tasks: string, tenant: string, subject: string) => `exists (
  select from graphile_worker._private_jobs gj join graphile_worker._private_tasks gt on gt.id = gj.task_id
   where gt.identifier in (${tasks}) and gj.payload ->> 'tenantId' = ${tenant}::text
     and gj.payload -> 'payload' ->> 'subject' = ${subject}::text and gj.attempts < gj.max_attempts)`;

const runAbout = (type: string, id: string) => `exists (
  select from runs r where r.subject_type = '${type}' and r.subject_id = ${id}::text and r.state in ${live})`;

const changeOf = (tenant: string, ticket: string, which: string) => `exists (
  select from changes c where c.tenant_id = ${tenant} and c.ticket_id = ${ticket} and ${which})`;

/** A run that hangs on a question: it waits for the answer, or a job goes on from there. */
const hangsOn = (run: string) => `(exists (
  select from questions q where q.tenant_id = ${run}.tenant_id and q.id::text = ${run}.halt ->> 'questionId'
     and (q.state = 'pending' or ${job(`'resumeRuns'`, 'q.tenant_id', 'q.id')}))
  or ${job(`'resumeRun'`, `${run}.tenant_id`, `${run}.id`)})`;

const text = `
  select 'session' as kind, s.id::text as id, s.state from sessions s
   where s.state = 'building' and not exists (
     select from tickets t where t.tenant_id = s.tenant_id and t.session_id = s.id and t.type = 'epic'
        and (t.status not in ('completed', 'cancelled') or ${job(`'concludeEpic'`, 't.tenant_id', 't.id')}))
     and not exists (
     select from specs p join result_submissions f on f.tenant_id = p.tenant_id and f.spec_id = p.id
      where p.session_id = s.id and f.state in ('submitted', 'rejected'))
  union all
  select 'spec', p.id::text, p.status from specs p join sessions s on s.tenant_id = p.tenant_id and s.id = p.session_id
   where p.status not in ('completed', 'failed', 'cancelled')
     and not ${job(`'cancelSpec'`, 'p.tenant_id', 's.id')}
     and not case p.status
       when 'planning_complete' then s.state in ('clarifying', 'reviewing', 'approved')
       when 'executing_planning' then s.state = 'clarifying' and exists (
         select from plannings g where g.tenant_id = s.tenant_id and g.session_id = s.id and g.state <> 'done')
       when 'executing_tasks' then s.state = 'building'
       else exists (select from runs r where r.tenant_id = p.tenant_id and r.subject_id = p.id::text and r.state in ${live}) end
  union all
  select 'planning', g.session_id::text, g.state from plannings g join sessions s on s.tenant_id = g.tenant_id and s.id = g.session_id
   where g.state <> 'stopped' and not ${job(`'planSession'`, 'g.tenant_id', 'g.session_id')}
     and not case
       when s.state <> 'clarifying' then g.state = 'done'
       when g.state = 'working' then ${runAbout('spec_phase', `(g.session_id::text || ':' || g.phase)`)}
         or exists (select from runs r where r.subject_type = 'spec_phase' and r.subject_id = g.session_id::text || ':' || g.phase
                       and ${job(`'giveUp'`, 'r.tenant_id', 'r.id')})
       else g.state = 'asking' end
  union all
  select 'result', f.id::text, f.state from result_submissions f join specs p on p.tenant_id = f.tenant_id and p.id = f.spec_id
   where f.state = 'submitted' and p.status in ('completed', 'failed', 'cancelled')
  union all
  select 'trunk', k.id::text, k.state from trunks k
   where not case k.state
     when 'preparing' then ${jobOfTrunk(`'prepareTrunk'`, 'k.tenant_id', 'k.id')}
     when 'checking' then exists (select from reviews v where v.trunk_id = k.id and v.kind = 'base' and v.state = 'pending')
     when 'ready' then k.publish_due_at is not null or k.head_sha is not distinct from k.published_sha or k.head_sha = k.base_sha
       or (select p.repository from projects p where p.id = k.project_id) is null
       or exists (select from tickets t where t.tenant_id = k.tenant_id and t.project_id = k.project_id and t.type <> 'epic'
            and t.spec_id is not distinct from k.spec_id and (t.status in ('ready', 'claimed', 'running', 'verifying', 'merging')
              or ${job(`'publishTrunkOfTicket'`, 't.tenant_id', 't.id')}))
     else true end
  union all
  select 'review', v.id::text, v.state from reviews v
   where v.state in ('pending', 'running') and not ${runAbout('review', 'v.id')}
     and not ${job(`'dropReviews'`, 'v.tenant_id', 'v.ticket_id')}
     and not exists (select from runs r where r.subject_type = 'review' and r.subject_id = v.id::text
                        and ${job(`'giveUp'`, 'r.tenant_id', 'r.id')})
  union all
  select 'change', c.id::text, c.state from changes c join trunks k on k.tenant_id = c.tenant_id and k.id = c.trunk_id
   where c.state in ('queued', 'merging', 'conflict') and not ${job(`'closeChange'`, 'c.tenant_id', 'c.ticket_id')}
     and not case c.state
       when 'conflict' then ${runAbout('conflict', 'c.id')} or ${jobOfSubject(`'resolveAgain', 'giveUp'`, 'k.tenant_id', 'c.id')}
         or ${jobOfTrunk(`'takeBackWork', 'openChange'`, 'k.tenant_id', 'k.id')}
       else ${jobOfTrunk(`'mergeNext', 'takeBackWork', 'openChange'`, 'k.tenant_id', 'k.id')}
         or exists (select from reviews v where v.trunk_id = k.id and v.kind = 'merge' and v.state = 'pending') end
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
         or exists (select from trunks k where k.tenant_id = t.tenant_id and k.project_id = t.project_id
               and k.spec_id is not distinct from t.spec_id
               and (k.state <> 'ready' or ${jobOfTrunk(`'queueRunsOfTrunk'`, 'k.tenant_id', 'k.id')}))
       when 'claimed' then ${hasRun(`('leased', 'starting')`)} or ${leavesWork}
       when 'running' then ${hasRun(`('working')`)} or ${leavesWork}
       when 'verifying' then ${hasRun(`('submitted')`)}
       when 'merging' then ${changeOf('t.tenant_id', 't.id', `c.state in ('queued', 'merging', 'conflict')`)} and ${hasRun(`('submitted')`)}
       when 'waiting' then exists (select from runs r where r.tenant_id = t.tenant_id and r.subject_type = 'ticket'
            and r.subject_id = t.id and r.state in ('parked', 'failed', 'lost') and not r.resumed and ${hangsOn('r')}) or ${changeOf('t.tenant_id', 't.id', `c.state = 'open' and c.approval = 'needed'`)}
       else false end
  union all
  select 'question', q.id::text, q.kind from questions q
   where q.state = 'pending' and q.due_at is null and not exists (
     select from runs r where r.tenant_id = q.tenant_id and r.halt ->> 'questionId' = q.id::text and not r.resumed
        and (r.state not in ('cancelled', 'accepted', 'returned')
          or ${job(`'withdrawRuns', 'queueRun'`, 'r.tenant_id', 'r.ticket_id')}))
  union all
  select 'run', r.id::text, r.state from runs r left join tickets t on t.tenant_id = r.tenant_id and t.id = r.ticket_id
   where r.state in ${live}
     and not (r.ticket_id is not null and ${job(`'withdrawRuns'`, 'r.tenant_id', 'r.ticket_id')})
     and not case
       when r.state = 'queued' then r.due_at is not null and t.status is not distinct from r.ticket_status
       when r.state = 'parked' then ${hangsOn('r')} or ${job(`'queueRun'`, 'r.tenant_id', 'r.ticket_id')}
       when r.subject_type <> 'ticket' and r.state <> 'submitted' then r.lease_expires_at is not null
       when r.state in ('leased', 'starting') then r.lease_expires_at is not null and t.status = 'claimed'
       when r.state = 'working' then r.lease_expires_at is not null and t.status = 'running'
       when r.state = 'submitted' then ${job(`'takeSubmission'`, 'r.tenant_id', 'r.id')}
         or exists (select from reviews v where v.run_id = r.id and (v.state in ('pending', 'running')
              or ${job(`'openChange', 'takeBackWork'`, 'v.tenant_id', 'v.id')}))
         or ${changeOf('r.tenant_id', 'r.ticket_id', `c.state in ('open', 'queued', 'merging', 'conflict')`)}
       else false end`;
