import { statement } from '../../../db/statement.ts';
import { runColumns, type RunRow } from '../runs.sql.ts';

/** What has been due for longer than $1 ms and does not go first yet, the oldest first. */
export const runsDueForLong = statement<{ tenantId: string; id: string }>(
  'runs_due_for_long',
  `select tenant_id, id from runs
    where state = 'queued' and aged_at is null and due_at < clock_timestamp() - make_interval(secs => $1::bigint / 1000.0)
    order by due_at limit $2`,
);

/** Looks again: of two servers that think of it at once one does it. Among those that have aged the oldest goes first. */
export const ageRunRow = statement<RunRow>(
  'age_run',
  `update runs r set aged_at = clock_timestamp(), priority = $3, chain = 0
    where r.tenant_id = $1 and r.id = $2 and r.state = 'queued' and r.aged_at is null returning ${runColumns}`,
);

const writesCode = `r.subject_type in ('ticket', 'conflict')`;
const agentNow = 'coalesce(v.agent, p.agent)';
const isOpen = `r.state in ('queued', 'leased', 'starting', 'working', 'submitted', 'parked')`;

/**
 * Has the runs of a project require what it now asks of a machine; what is to write code, the agent of its template or of the project
 * too. Those that are held are meant as well: they may come back to the queue. $3: only this one.
 */
export const refitRunRows = statement<object>(
  'refit_runs',
  `with wanted as (
     select r.id, r.subject_type, array(
              select need from unnest(r.requires) as need
               where need not like 'label:%' and need not like 'isolation:%' and not (${writesCode} and need like 'agent:%'))
            || case when ${writesCode} and ${agentNow} is not null then array['agent:' || (${agentNow} ->> 'kind')] else '{}' end
            || array(select 'label:' || l from unnest(p.labels) as l order by l)
            || case when p.isolation <> 'none' then array['isolation:' || p.isolation] else '{}' end as requires,
            case when ${writesCode} then ${agentNow} ->> 'kind' else r.agent end as agent
       from runs r join projects p on p.tenant_id = r.tenant_id and p.id = r.project_id
       left join template_versions v on v.tenant_id = r.tenant_id and v.id = r.template
      where r.tenant_id = $1 and r.project_id = $2 and ($3::uuid is null or r.id = $3) and ${isOpen}
   )
   update runs r set requires = w.requires, agent = w.agent from wanted w
    where r.tenant_id = $1 and r.id = w.id and ${isOpen} and (r.requires <> w.requires or r.agent is distinct from w.agent)`,
);

const waitsFor = `r.tenant_id = $1 and r.project_id = $2 and r.state = 'queued' and ${writesCode}
      and t.tenant_id = r.tenant_id and t.id = r.ticket_id and t.type = $3`;

/** Of what waits for tickets of the type $3 in project $2: by which template it is worked on. $6: only this run; $7: this one is left alone. */
export const rerouteRunRows = statement<RunRow>(
  'reroute_runs',
  `update runs r set template = $4, fallback_of = $5 from tickets t
    where ${waitsFor} and ($6::uuid is null or r.id = $6) and ($7::uuid is null or r.id <> $7)
      and (r.template is distinct from $4 or r.fallback_of is distinct from $5) returning ${runColumns}`,
);

/** Of those that can be begun now the first; one that has failed before, maybe by that very model, only where there is no other. */
export const probeRow = statement<{ id: string }>(
  'first_to_look',
  `select r.id from runs r, tickets t where ${waitsFor} and r.due_at <= clock_timestamp()
    order by r.attempt, r.priority desc, r.chain desc, r.created_at, r.id limit 1`,
);

/** A run that is worked on by this version, or could be now: one that waits for its time shows nothing of the model. */
export const lookingRun = statement<{ id: string }>(
  'looking_run',
  `select id from runs where tenant_id = $1 and template = $2
      and (state in ('leased', 'starting', 'working') or (state = 'queued' and due_at <= clock_timestamp()))
    order by state = 'queued', attempt, priority desc, chain desc, created_at, id limit 1`,
);

/** Those of which something waits. */
export const projectsRouted = statement<{ id: string }>(
  'projects_routed',
  `select distinct r.project_id as id from runs r
    where r.tenant_id = $1 and r.state = 'queued' and ${writesCode} and r.project_id is not null order by 1`,
);

/** Projects of which something waits, for longer than $1 ms, with a template that stands in for another; of very many any, so that each has its turn. */
export const runsFallenBack = statement<{ tenantId: string; id: string }>(
  'runs_fallen_back',
  `select tenant_id, project_id as id from runs
    where state = 'queued' and fallback_of is not null and created_at < clock_timestamp() - make_interval(secs => $1::int / 1000.0)
    group by tenant_id, project_id order by random() limit 100`,
);
