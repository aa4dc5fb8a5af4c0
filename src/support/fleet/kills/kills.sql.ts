import { statement } from '../../../db/statement.ts';
import type { Tables } from '../../../db/tables.gen.ts';

export type KillRow = Omit<Tables['sandbox_kills'], 'tenantId'>;

const columns = 'k.sandbox_id, k.asked_by, k.asked_at';

/** Who tells of it now, and of which run it is. */
export const workerOfSandbox = statement<{ worker: string; runId: string | null }>(
  'worker_of_sandbox',
  `select w.name as worker, s.run_id
     from workers w cross join lateral jsonb_to_recordset(w.sandboxes) as s (id text, run_id text)
    where w.tenant_id = $1 and w.state <> 'left' and s.id = $2 order by w.beat_at desc limit 1`,
);

export const killOfSandbox = statement<KillRow>(
  'kill_of_sandbox',
  `select ${columns} from sandbox_kills k where k.tenant_id = $1 and k.sandbox_id = $2`,
);

/** No row where somebody has said so before. */
export const insertKill = statement<KillRow>(
  'insert_kill',
  `insert into sandbox_kills as k (tenant_id, sandbox_id, asked_by) values ($1, $2, $3)
   on conflict (tenant_id, sandbox_id) do nothing returning ${columns}`,
);

/** What was said longer than $1 seconds ago, of every tenant. */
export const forgetKills = statement<{ sandboxId: string }>(
  'forget_kills',
  `delete from sandbox_kills where asked_at < clock_timestamp() - make_interval(secs => $1::int) returning sandbox_id`,
);
