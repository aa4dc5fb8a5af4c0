import type { SandboxReport, SandboxWorth } from '../../../contract/fleet/sandboxes.ts';
import { statement } from '../../db/statement.ts';

export interface VmRow {
  id: string;
  worker: string;
  host: string;
  kind: SandboxWorth['kind'] | null;
  isolation: SandboxWorth['isolation'] | null;
  runId: string | null;
  ticketId: string | null;
  projectId: string | null;
  project: string | null;
  state: SandboxReport['state'] | 'lost';
  madeAt: string;
  limits: SandboxReport['limits'];
  used: SandboxReport['use'];
  heardAt: Date;
  killedBy: string | null;
  killedAt: Date | null;
  now: Date;
}

/**
 * What workers tell of, by its age; $2 is a worker, $3 a state, $4 the beginning of an id, $5 how many at most. Of one that fell silent
 * for as long as $6 seconds: then whoever cleans up on its machine has done so, or nobody will.
 */
export const vmsOfTenant = statement<VmRow>(
  'vms_of_tenant',
  `with told as (
     select s.id, w.name as worker, w.host, w.worth ->> 'kind' as kind, w.worth ->> 'isolation' as isolation, s.run_id,
            case w.state when 'gone' then 'lost' else s.state end as state, s.made_at, s.limits, s.use as used, w.beat_at as heard_at
       from workers w
      cross join lateral jsonb_to_recordset(w.sandboxes) as s (id text, run_id uuid, state text, made_at text, limits jsonb, use jsonb)
      where w.tenant_id = $1 and ($2::text is null or w.name = $2)
        and (w.state in ('active', 'draining') or (w.state = 'gone' and w.beat_at > now() - make_interval(secs => $6::int)))
   )
   select v.*, r.ticket_id, r.project_id, p.name as project, k.asked_by as killed_by, k.asked_at as killed_at, now() as now
     from told v
     left join runs r on r.tenant_id = $1 and r.id = v.run_id
     left join projects p on p.tenant_id = $1 and p.id = r.project_id
     left join sandbox_kills k on k.tenant_id = $1 and k.sandbox_id = v.id
    where ($3::text is null or v.state = $3) and ($4::text is null or strpos(v.id, $4) = 1)
    order by v.made_at, v.id limit $5`,
);
