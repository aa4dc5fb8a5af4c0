import { statement } from '../../../db/statement.ts';
import { type RunRow, runColumns } from '../runs.sql.ts';

/** Whoever counts what there is of a run, and whoever ends it, waits. */
export const holdRunRow = statement<RunRow>(
  'hold_any_run',
  `select ${runColumns} from runs r where r.tenant_id = $1 and r.id = $2 for no key update`,
);

/** No row where it is there already. */
export const insertRescue = statement<{ sha256: string }>(
  'insert_rescue',
  `insert into blobs (tenant_id, run_id, sha256, size, kind) values ($1, $2, $3, $4, 'rescue') on conflict do nothing returning sha256`,
);

/** Of all tenants: a ref in Skep's copy of a repository names no tenant. */
export const runsAmongIds = statement<{ id: string }>(
  'runs_among_ids',
  'select r.id from tenants t join runs r on r.tenant_id = t.id and r.id = any ($1::uuid[])',
);

/** What was brought home of a run, the last first; who adds to it sees to it that they are few. */
export const rescuesOfRun = statement<{ sha256: string; size: number }>(
  'rescues_of_run',
  `select sha256, size from blobs where tenant_id = $1 and run_id = $2 and kind = 'rescue' order by created_at desc`,
);
