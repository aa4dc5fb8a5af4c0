import { statement } from '../../../db/statement.ts';
import { type RunRow, runColumns } from '../runs.sql.ts';

/** Whoever counts what there is of a run, and whoever ends it, waits. */
export const holdRunRow = statement<RunRow>(
  'hold_any_run',
  `select ${runColumns} from runs r where r.tenant_id = $1 and r.id = $2 for no key update`,
);

/** $5: how many there may be of a run; one that is there already is none more. */
export const insertRescue = statement<{ sha256: string }>(
  'insert_rescue',
  `insert into blobs (tenant_id, run_id, sha256, size, kind)
   select $1, $2, $3, $4, 'rescue'
    where (select count(*) from blobs where tenant_id = $1 and run_id = $2 and kind = 'rescue') < $5
   on conflict do nothing returning sha256`,
);

/** Of all tenants: a ref in Skep's copy of a repository names no tenant. */
export const runsAmongIds = statement<{ id: string }>('runs_among_ids', 'select id from runs where id = any ($1::uuid[])');

/** The last that was brought home. */
export const rescueOfRun = statement<{ sha256: string; size: number }>(
  'rescue_of_run',
  `select sha256, size from blobs where tenant_id = $1 and run_id = $2 and kind = 'rescue' order by created_at desc limit 1`,
);

export const rescueIsThere = statement<{ sha256: string }>(
  'rescue_is_there',
  `select sha256 from blobs where tenant_id = $1 and run_id = $2 and kind = 'rescue' and sha256 = $3`,
);
