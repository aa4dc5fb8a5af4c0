import { statement } from '../../../db/statement.ts';
import type { Tables } from '../../../db/tables.gen.ts';

export type PlanningRow = Omit<Tables['plannings'], 'tenantId'>;

const columns = 'session_id, state, phase, rounds, tries, reason, base_sha, object_format, begun_at, updated_at';

/** Held until the transaction ends. After runs, before the session and its spec. */
export const planningForUpdate = statement<PlanningRow>(
  'planning_for_update',
  `select ${columns} from plannings where tenant_id = $1 and session_id = $2 for no key update`,
);

export const planningsOfSessions = statement<PlanningRow>(
  'plannings_of_sessions',
  `select ${columns} from plannings where tenant_id = $1 and session_id = any ($2::uuid[])`,
);

export const openPlanningRow = statement<object>(
  'open_planning',
  'insert into plannings (tenant_id, session_id, phase) values ($1, $2, $3) on conflict do nothing',
);

/** $4: whether the commit that is planned on is to be fetched anew. */
export const beginPhaseRow = statement<PlanningRow>(
  'begin_phase',
  `update plannings set state = 'working', phase = $3, tries = 0, reason = null, base_sha = case when $4 then null else base_sha end,
          begun_at = now(), updated_at = now()
    where tenant_id = $1 and session_id = $2 returning ${columns}`,
);

/** Only for the phase that it was fetched for, and once. */
export const setPlanningBase = statement<PlanningRow>(
  'set_planning_base',
  `update plannings set base_sha = $4, object_format = $5, updated_at = now()
    where tenant_id = $1 and session_id = $2 and state = 'working' and begun_at = $3 and base_sha is null returning ${columns}`,
);

export const countPlanningTry = statement<PlanningRow>(
  'count_planning_try',
  `update plannings set tries = tries + 1, updated_at = now() where tenant_id = $1 and session_id = $2 returning ${columns}`,
);

/** $4 is added to how often a person was asked. */
export const restPlanningRow = statement<PlanningRow>(
  'rest_planning',
  `update plannings set state = $3, rounds = rounds + $4, reason = $5, updated_at = now()
    where tenant_id = $1 and session_id = $2 returning ${columns}`,
);

/** Of a card that came from elsewhere the requirements are unknown: were it rejected, planning would begin with them. */
export const endPlanningRow = statement<object>(
  'end_planning',
  `update plannings set state = 'stopped', phase = 'REQUIREMENTS', reason = $3, updated_at = now()
    where tenant_id = $1 and session_id = $2 and state in ('working', 'asking')`,
);
