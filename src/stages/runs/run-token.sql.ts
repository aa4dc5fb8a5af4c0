import { statement } from '../../db/statement.ts';
import type { ReportTool } from '../../../contract/talk/report-back.ts';
import type { Tables } from '../../db/tables.gen.ts';
import type { StoredPlan } from './runs.sql.ts';

export interface RunContextRow {
  readonly tenantId: string;
  readonly runId: string;
  readonly projectId: string;
  readonly specId: string | null;
  readonly ticketId: string | null;
  readonly subjectType: Tables['runs']['subjectType'];
  readonly subjectId: string;
  readonly attempt: number;
  readonly agent: string;
  readonly model: string | null;
  readonly title: string;
  readonly phase: StoredPlan['phase'] | null;
  readonly round: number;
  /** Of its template, with what of them is used; null: none. */
  readonly turnsMax: number | null;
  readonly tokensMax: number | null;
  /** Of Skep's, those that its agent has; null: all. */
  readonly tools: readonly ReportTool[] | null;
  /** Its name and version. */
  readonly template: string | null;
  readonly turns: number;
  readonly tokens: number;
}

/** Whose sandbox it is that shows a run token. Nothing once the lease is over; time is the database's. */
export const runOfRunToken = statement<RunContextRow>(
  'run_of_run_token',
  `select r.tenant_id, r.id as run_id, p.id as project_id, coalesce(t.spec_id, (r.task ->> 'specId')::uuid) as spec_id, r.ticket_id,
          r.subject_type, r.subject_id, r.attempt,
          case when r.subject_type = 'spec_phase' then 'planner' else coalesce(coalesce(v.agent, p.agent) ->> 'kind', 'none') end as agent,
          coalesce(r.task -> 'plan' ->> 'model', coalesce(v.agent, p.agent) ->> 'model') as model,
          coalesce(t.title, r.task -> 'plan' ->> 'phase', r.subject_id) as title, r.task -> 'plan' ->> 'phase' as phase,
          (select count(*) from runs o where o.tenant_id = r.tenant_id and o.subject_type = r.subject_type
              and o.subject_id = r.subject_id and o.state = 'returned' and not o.resumed) as round,
          r.template, v.tools, (v.limits ->> 'turns_max')::int as turns_max, (v.limits ->> 'tokens_max')::float8 as tokens_max,
          case when v.limits ->> 'turns_max' is null then 0 else (select count(*) from model_calls c
            where c.tenant_id = r.tenant_id and c.run_id = r.id and c.state <> 'failed') end as turns,
          case when v.limits ->> 'tokens_max' is null then 0 else (select coalesce(sum(c.charged_tokens), 0) from model_calls c
            where c.tenant_id = r.tenant_id and c.run_id = r.id) end::float8 as tokens
     from runs r left join tickets t on t.tenant_id = r.tenant_id and t.id = r.ticket_id
     join projects p on p.tenant_id = r.tenant_id and p.id = coalesce(t.project_id, (r.task ->> 'projectId')::uuid)
     left join template_versions v on v.tenant_id = r.tenant_id and v.id = r.template
    where r.run_token_hash = $1 and r.state in ('leased', 'starting', 'working') and r.lease_expires_at > clock_timestamp()`,
);

/** Which of these runs are still held. All that is held is read, which is few; by its id alone a run has no index. */
export const runsStillHeld = statement<{ id: string }>(
  'runs_still_held',
  `with held as materialized (select id, lease_expires_at from runs where state in ('leased', 'starting', 'working'))
   select id from held where id = any ($1::uuid[]) and lease_expires_at > clock_timestamp()`,
);
