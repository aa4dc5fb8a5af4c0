import type { Flag } from '../../../contract/reviews.ts';
import { statement } from '../../db/statement.ts';
import type { Tables } from '../../db/tables.gen.ts';

type Columns = Tables['changes'];

export interface ChangeRow extends Columns {
  flags: Flag[];
  conflictFiles: string[];
  title: string;
}

const columns = `c.id, c.tenant_id, c.trunk_id, c.ticket_id, c.state, c.approval, c.approved_by, c.head_sha, c.base_sha, c.review_id, c.run_id,
  c.flags, c.conflict_files, c.conflict_base_sha, c.merge_sha, c.merge_blob, c.merge_number, c.reason, c.created_at, c.updated_at,
  c.queued_at, c.merged_at,
  (select t.title from tickets t where t.tenant_id = c.tenant_id and t.id = c.ticket_id) as title`;

export const changeById = statement<ChangeRow>(
  'change_by_id',
  `select ${columns} from changes c where c.tenant_id = $1 and c.id = $2`,
);

/** A change is locked after its trunk. */
export const changeForUpdate = statement<ChangeRow>('change_for_update', `${changeById.text} for no key update of c`);

export const changeOfTicket = statement<ChangeRow>(
  'change_of_ticket',
  `select ${columns} from changes c where c.tenant_id = $1 and c.ticket_id = $2`,
);

export const changesFiltered = statement<ChangeRow>(
  'changes_filtered',
  `select ${columns} from changes c
    where c.tenant_id = $1 and ($2::text is null or c.state = $2) and ($3::text is null or c.ticket_id = $3)
      and ($4::uuid is null or c.trunk_id = $4)
    order by c.created_at desc, c.id limit $5`,
);

/** The change of a ticket with what was reviewed last: made, or brought up to date. Said again of the same run it changes nothing. */
export const putChange = statement<ChangeRow>(
  'put_change',
  `insert into changes as c (tenant_id, trunk_id, ticket_id, state, approval, head_sha, base_sha, review_id, run_id, flags, queued_at)
   values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::jsonb, case when $4 = 'queued' then clock_timestamp() end)
   on conflict (tenant_id, ticket_id) do update set state = excluded.state, approval = excluded.approval, approved_by = null,
      head_sha = excluded.head_sha, base_sha = excluded.base_sha, review_id = excluded.review_id, run_id = excluded.run_id,
      flags = excluded.flags, conflict_files = '[]', conflict_base_sha = null, reason = null, queued_at = excluded.queued_at,
      updated_at = now()
    where c.state in ('open', 'closed') or (c.state <> 'merged' and c.run_id <> excluded.run_id)
   returning ${columns}`,
);

export const moveChangeRow = statement<ChangeRow>(
  'move_change',
  `update changes c set state = $3, reason = $5, queued_at = case when $3 = 'queued' then clock_timestamp() else c.queued_at end,
          updated_at = now()
    where c.tenant_id = $1 and c.id = $2 and c.state = any ($4::text[]) returning ${columns}`,
);

export const approveChangeRow = statement<ChangeRow>(
  'approve_change',
  `update changes c set approval = 'given', approved_by = $4, updated_at = now()
    where c.tenant_id = $1 and c.id = $2 and c.head_sha = $3 and c.state = 'open' and c.approval = 'needed' returning ${columns}`,
);

export const rejectChangeRow = statement<ChangeRow>(
  'reject_change',
  `update changes c set approval = 'not_needed', reason = $3, updated_at = now()
    where c.tenant_id = $1 and c.id = $2 and c.state = 'open' and c.approval = 'needed' returning ${columns}`,
);

/** A later review of the same head, against where the trunk is now. */
export const rebaseChangeRow = statement<ChangeRow>(
  'rebase_change',
  `update changes c set review_id = $3, base_sha = $4, updated_at = now()
    where c.tenant_id = $1 and c.id = $2 and c.state = 'merging' and c.run_id = $5 returning ${columns}`,
);

export const conflictChangeRow = statement<ChangeRow>(
  'conflict_change',
  `update changes c set state = 'conflict', conflict_files = $3::jsonb, conflict_base_sha = $4, updated_at = now()
    where c.tenant_id = $1 and c.id = $2 and c.state = 'merging' returning ${columns}`,
);

export const landChangeRow = statement<ChangeRow>(
  'land_change',
  `update changes c set state = 'merged', merge_sha = $3, merge_blob = $4, merge_number = $5, review_id = $7, base_sha = $8,
          merged_at = clock_timestamp(), updated_at = now()
    where c.tenant_id = $1 and c.id = $2 and c.state = 'merging' and c.head_sha = $6 returning ${columns}`,
);

/** The first in the queue of a trunk. */
export const nextInQueue = statement<ChangeRow>(
  'next_in_queue',
  `select ${columns} from changes c where c.tenant_id = $1 and c.trunk_id = $2 and c.state = 'queued'
    order by c.queued_at, c.id limit 1 for no key update of c`,
);

/** In the order in which they landed: what the trunk is made of. */
export const mergedChanges = statement<ChangeRow>(
  'merged_changes',
  `select ${columns} from changes c where c.tenant_id = $1 and c.trunk_id = $2 and c.state = 'merged' order by c.merge_number`,
);

/** Whether anything of the trunk is in work, or can be without a person's doing. */
export const trunkInWork = statement<{ busy: boolean }>(
  'trunk_in_work',
  `select exists (
     select from tickets t join trunks k on k.tenant_id = t.tenant_id and k.project_id = t.project_id and k.spec_id is not distinct from t.spec_id
      where k.tenant_id = $1 and k.id = $2 and t.type <> 'epic'
        and t.status in ('ready', 'claimed', 'running', 'verifying', 'merging')) as busy`,
);

/** Trunks that could merge and do not: what is queued there has waited for longer than $1 ms. */
export const trunksToMerge = statement<{ tenantId: string; id: string }>(
  'trunks_to_merge',
  `select distinct k.tenant_id, k.id from trunks k join changes c on c.tenant_id = k.tenant_id and c.trunk_id = k.id
    where c.state in ('queued', 'merging') and k.state = 'ready' and c.updated_at < now() - make_interval(secs => $1::int / 1000.0)
      and not exists (select from reviews v where v.tenant_id = k.tenant_id and v.trunk_id = k.id and v.kind = 'merge' and v.state = 'pending')
    limit 100`,
);

/** Trunks whose push is due, since it failed or nobody thought of it, and can be made; the first parameter is not looked at. */
export const trunksToPublish = statement<{ tenantId: string; id: string }>(
  'trunks_to_publish',
  `select k.tenant_id, k.id from trunks k join projects p on p.tenant_id = k.tenant_id and p.id = k.project_id
    where k.publish_due_at < clock_timestamp() and $1::int is not null and p.repository is not null
      and not exists (
        select from tickets t where t.tenant_id = k.tenant_id and t.project_id = k.project_id and t.spec_id is not distinct from k.spec_id
           and t.type <> 'epic' and t.status in ('ready', 'claimed', 'running', 'verifying', 'merging'))
    order by k.publish_due_at limit 100`,
);

/** Reviews that let work land, longer than $1 ms ago, of which no change knows: the newest of work that still waits. */
export const reviewsWithoutChange = statement<{ tenantId: string; id: string }>(
  'reviews_without_change',
  `select v.tenant_id, v.id from reviews v
      join runs r on r.tenant_id = v.tenant_id and r.id = v.run_id and r.state = 'submitted'
      join trunks k on k.tenant_id = v.tenant_id and k.id = v.trunk_id
    where v.kind = 'submission' and (v.state = 'passed' or v.state = 'inconclusive' and k.checks = '[]')
      and v.ended_at < now() - make_interval(secs => $1::int / 1000.0)
      and not exists (select from changes c where c.tenant_id = v.tenant_id and c.ticket_id = v.ticket_id and c.run_id = v.run_id)
    order by v.ended_at limit 100`,
);

/** Specs whose work was all done longer than $1 ms ago, and of which no result says so. */
export const specsWithoutResult = statement<{ tenantId: string; id: string }>(
  'specs_without_result',
  `select p.tenant_id, p.id from specs p join tickets t on t.tenant_id = p.tenant_id and t.spec_id = p.id
    where p.status = 'executing_tasks' and t.type = 'epic' and t.status = 'completed'
      and t.updated_at < now() - make_interval(secs => $1::int / 1000.0)
      and not exists (select from result_submissions f where f.tenant_id = p.tenant_id and f.spec_id = p.id)
    order by t.updated_at limit 100`,
);

/** Changes whose conflict nobody works on, for longer than $1 ms. */
export const conflictsWithoutRun = statement<{ tenantId: string; id: string }>(
  'conflicts_without_run',
  `select c.tenant_id, c.id from changes c
    where c.state = 'conflict' and c.updated_at < now() - make_interval(secs => $1::int / 1000.0)
      and not exists (select from runs r where r.tenant_id = c.tenant_id and r.subject_type = 'conflict' and r.subject_id = c.id::text
                       and r.state in ('queued', 'leased', 'starting', 'working', 'submitted'))
    order by c.updated_at limit 100`,
);
