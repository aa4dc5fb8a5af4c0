import { statement } from '../../db/statement.ts';
import type { Tables } from '../../db/tables.gen.ts';

export type MemoryRow = Omit<Tables['memories'], 'tenantId' | 'sha256'>;

const columns = 'id, project_id, run_id, kind, text, created_at';

/** The same note twice is one. */
export const insertMemory = statement<MemoryRow>(
  'insert_memory',
  `insert into memories (tenant_id, project_id, run_id, kind, text, sha256) values ($1, $2, $3, $4, $5, $6)
   on conflict do nothing returning ${columns}`,
);

/** Newest first. */
export const memoriesOfProject = statement<MemoryRow>(
  'memories_of_project',
  `select ${columns} from memories where tenant_id = $1 and project_id = $2 order by created_at desc, id limit $3`,
);

/** Notes of a run that are kept. */
export const countMemoriesOfRun = statement<{ count: number }>(
  'count_memories_of_run',
  'select count(*) from memories where tenant_id = $1 and project_id = $2 and run_id = $3',
);

/** The oldest beyond the newest $3. */
export const dropOldMemories = statement<{ id: string }>(
  'drop_old_memories',
  `delete from memories where tenant_id = $1 and id in (
     select id from memories where tenant_id = $1 and project_id = $2 order by created_at desc, id offset $3) returning id`,
);

export const deleteMemoryRow = statement<MemoryRow>(
  'delete_memory',
  `delete from memories where tenant_id = $1 and id = $2 returning ${columns}`,
);
