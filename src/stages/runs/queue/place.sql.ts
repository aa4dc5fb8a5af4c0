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

const isOpen = `r.state in ('queued', 'leased', 'starting', 'working', 'submitted', 'parked')`;

/**
 * Has the runs of a project require what it now asks of a machine; what is to write code, its agent too. Those that are held are
 * meant as well: they may come back to the queue.
 */
export const refitRunRows = statement<object>(
  'refit_runs',
  `with wanted as (
     select r.id, r.subject_type, array(
              select need from unnest(r.requires) as need
               where need not like 'label:%' and need not like 'isolation:%' and not (r.subject_type = 'ticket' and need like 'agent:%'))
            || case when r.subject_type = 'ticket' and p.agent is not null then array['agent:' || (p.agent ->> 'kind')] else '{}' end
            || array(select 'label:' || l from unnest(p.labels) as l order by l)
            || case when p.isolation <> 'none' then array['isolation:' || p.isolation] else '{}' end as requires,
            case when r.subject_type = 'ticket' then p.agent ->> 'kind' else r.agent end as agent
       from runs r join projects p on p.tenant_id = r.tenant_id and p.id = r.project_id
      where r.tenant_id = $1 and r.project_id = $2 and ${isOpen}
   )
   update runs r set requires = w.requires, agent = w.agent from wanted w
    where r.tenant_id = $1 and r.id = w.id and ${isOpen} and (r.requires <> w.requires or r.agent is distinct from w.agent)`,
);
