import type { SpecPlan } from '../../../contract/talk/planning.ts';
import type { SpecCard } from '../../../contract/spec-card.ts';
import { statement } from '../../db/statement.ts';
import type { Tables } from '../../db/tables.gen.ts';

export interface SpecRow extends Omit<Tables['specs'], 'tenantId'> {
  /** Null while the first planning is under way. */
  card: SpecCard | null;
  plan: SpecPlan | null;
}

const columns = 'id, session_id, project_id, version, name, status, phase, card, plan, on_result_found, created_at, updated_at';

export const specById = statement<SpecRow>('spec_by_id', `select ${columns} from specs where tenant_id = $1 and id = $2`);

/** Held until the transaction ends. After tickets and epics, before sessions and results. */
export const specForUpdate = statement<SpecRow>('spec_for_update', `${specById.text} for no key update`);

export const specOfSession = statement<SpecRow>(
  'spec_of_session',
  `select ${columns} from specs where tenant_id = $1 and session_id = $2`,
);

export const specsOfSessions = statement<{ sessionId: string; id: string }>(
  'specs_of_sessions',
  'select session_id, id from specs where tenant_id = $1 and session_id = any ($2::uuid[])',
);

/** A session has one spec; handing in another card makes its next version. */
export const putSpec = statement<SpecRow>(
  'put_spec',
  `insert into specs (tenant_id, session_id, project_id, name, status, phase, card, plan)
   values ($1, $2, $3, $4, 'planning_complete', 'SYNC', $5::jsonb, $6::jsonb)
   on conflict (tenant_id, session_id) do update
     set version = specs.version + (specs.card is not null)::int, name = excluded.name, card = excluded.card, plan = excluded.plan,
         status = 'planning_complete', phase = 'SYNC', updated_at = now()
   returning ${columns}`,
);

/** The spec as it is planned, for the first time or again; $7 are the statuses in which it may be. */
export const planSpecRow = statement<SpecRow>(
  'plan_spec',
  `insert into specs (tenant_id, session_id, project_id, name, status, phase) values ($1, $2, $3, $4, $5, $6)
   on conflict (tenant_id, session_id) do update set status = excluded.status, phase = excluded.phase, updated_at = now()
     where specs.status = any ($7::text[])
   returning ${columns}`,
);

export const keepPlanRow = statement<object>(
  'keep_plan',
  `update specs set plan = $3::jsonb, name = coalesce($4, name), updated_at = now()
    where tenant_id = $1 and session_id = $2 and status = 'executing_planning'`,
);

export const moveSpecRow = statement<SpecRow>(
  'move_spec',
  `update specs set status = $3, phase = coalesce($4, phase), updated_at = now()
    where tenant_id = $1 and id = $2 and status = any ($5::text[]) returning ${columns}`,
);

export const setOnResultFound = statement<SpecRow>(
  'set_on_result_found',
  `update specs set on_result_found = $3, updated_at = now()
    where tenant_id = $1 and id = $2 and status not in ('completed', 'failed', 'cancelled') returning ${columns}`,
);
