import type { SpecCard } from '../../../contract/spec-card.ts';
import { statement } from '../../db/statement.ts';
import type { Tables } from '../../db/tables.gen.ts';

export interface SpecRow extends Omit<Tables['specs'], 'tenantId'> {
  card: SpecCard;
}

const columns = 'id, session_id, project_id, version, name, status, phase, card, on_result_found, created_at, updated_at';

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
  `insert into specs (tenant_id, session_id, project_id, name, status, phase, card)
   values ($1, $2, $3, $4, 'planning_complete', 'SYNC', $5::jsonb)
   on conflict (tenant_id, session_id) do update
     set version = specs.version + 1, name = excluded.name, card = excluded.card, status = 'planning_complete', phase = 'SYNC', updated_at = now()
   returning ${columns}`,
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
