import type { Check } from '../../../contract/projects.ts';
import { statement } from '../../db/statement.ts';
import type { Tables } from '../../db/tables.gen.ts';

type Columns = Tables['trunks'];

export interface TrunkRow extends Columns {
  redBase: 'refuse' | 'leave_out';
  objectFormat: 'sha1' | 'sha256';
  checks: Check[];
  notes: string[];
}

const columns = `k.id, k.tenant_id, k.project_id, k.spec_id, k.branch, k.state, k.reason, k.hint, k.red_base, k.object_format, k.base_sha,
  k.head_sha, k.merging_id, k.merge_count, k.published_sha, k.publish_error, k.publish_attempts, k.publish_due_at, k.checks, k.notes,
  k.created_at, k.updated_at`;

export const trunkById = statement<TrunkRow>(
  'trunk_by_id',
  `select ${columns} from trunks k where k.tenant_id = $1 and k.id = $2`,
);

/** Trunks are locked before changes, reviews, runs and tickets everywhere. */
export const trunkForUpdate = statement<TrunkRow>('trunk_for_update', `${trunkById.text} for no key update of k`);

export const trunkOfWork = statement<TrunkRow>(
  'trunk_of_work',
  `select ${columns} from trunks k where k.tenant_id = $1 and k.project_id = $2 and k.spec_id is not distinct from $3::uuid`,
);

export const trunksFiltered = statement<TrunkRow>(
  'trunks_filtered',
  `select ${columns} from trunks k
    where k.tenant_id = $1 and ($2::uuid is null or k.spec_id = $2) and ($3::uuid is null or k.project_id = $3)
    order by k.created_at desc, k.id limit $4`,
);

export const branchesOfProject = statement<{ branch: string }>(
  'branches_of_project',
  'select branch from trunks where tenant_id = $1 and project_id = $2',
);

/** One for the work of a spec: a second insert does nothing. */
export const insertTrunk = statement<TrunkRow>(
  'insert_trunk',
  `insert into trunks as k (tenant_id, project_id, spec_id, branch, red_base) values ($1, $2, $3, $4, $5)
   on conflict do nothing returning ${columns}`,
);

export const moveTrunkRow = statement<TrunkRow>(
  'move_trunk',
  `update trunks k set state = $3, reason = $5, hint = $6, updated_at = now()
    where k.tenant_id = $1 and k.id = $2 and k.state = any ($4::text[]) returning ${columns}`,
);

export const setTrunkBase = statement<TrunkRow>(
  'set_trunk_base',
  `update trunks k set base_sha = $3, head_sha = $3, object_format = $4, checks = $5::jsonb, notes = $6::jsonb, updated_at = now()
    where k.tenant_id = $1 and k.id = $2 and k.state = 'preparing' returning ${columns}`,
);

export const setTrunkChecks = statement<object>(
  'set_trunk_checks',
  'update trunks set checks = $3::jsonb, notes = $4::jsonb where tenant_id = $1 and id = $2',
);

export const setTrunkRedBase = statement<object>(
  'set_trunk_red_base',
  'update trunks set red_base = $3 where tenant_id = $1 and id = $2',
);

export const reserveTrunk = statement<object>(
  'reserve_trunk',
  'update trunks set merging_id = $3, updated_at = now() where tenant_id = $1 and id = $2',
);

/** Compare and swap: undefined where the trunk has moved on since it was looked at. */
export const advanceTrunk = statement<TrunkRow>(
  'advance_trunk',
  `update trunks k set head_sha = $4, merge_count = k.merge_count + 1, merging_id = null, publish_due_at = clock_timestamp(),
          updated_at = now()
    where k.tenant_id = $1 and k.id = $2 and k.head_sha = $3 returning ${columns}`,
);

/**
 * $3 was pushed, where $4 had been before: a push that is told late, after a later one, changes nothing. What landed during the push
 * is due at once.
 */
export const trunkPublished = statement<TrunkRow>(
  'trunk_published',
  `update trunks k set published_sha = $3, publish_error = null, publish_attempts = 0,
          publish_due_at = case when k.head_sha <> $3 then clock_timestamp() end, updated_at = now()
    where k.tenant_id = $1 and k.id = $2 and k.published_sha is not distinct from $4::text returning ${columns}`,
);

export const trunkNotPublished = statement<TrunkRow>(
  'trunk_not_published',
  `update trunks k set publish_error = $3, publish_attempts = k.publish_attempts + 1,
          publish_due_at = clock_timestamp() + make_interval(secs => $4::int / 1000.0), updated_at = now()
    where k.tenant_id = $1 and k.id = $2 returning ${columns}`,
);
