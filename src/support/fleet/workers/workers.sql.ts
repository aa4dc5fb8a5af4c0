import type { SandboxWorth } from '../../../../contract/fleet/sandboxes.ts';
import { statement } from '../../../db/statement.ts';
import type { Tables } from '../../../db/tables.gen.ts';

type Stored = Tables['workers'];

export interface WorkerRow extends Omit<Stored, 'tenantId' | 'sandboxes'> {
  state: 'active' | 'draining' | 'left' | 'gone';
  sandbox: Record<string, string>;
  worth: SandboxWorth | null;
}

/** A person's word that a sandbox be killed. */
export interface Kill {
  readonly id: string;
  readonly by: string;
}

const columns =
  'w.name, w.incarnation, w.host, w.version, w.slots, w.capabilities, w.sandbox, w.worth, w.state, w.is_told_to_drain, w.started_at, w.beat_at';

/** Of the sandboxes that the beat tells of, those that are to be killed. */
const kills = `coalesce((
    select jsonb_agg(jsonb_build_object('id', k.sandbox_id, 'by', k.asked_by)) from sandbox_kills k
     where k.tenant_id = $1 and k.sandbox_id in (select s.id from jsonb_to_recordset($11::jsonb) as s (id text))), '[]') as kills`;

/** The beat of whoever has the name and tells nothing new of its state: one round trip. */
export const touchWorker = statement<{ isToldToDrain: boolean; kills: Kill[] }>(
  'touch_worker',
  `update workers set host = $4, version = $5, slots = $6, capabilities = $7, sandbox = $8::jsonb, worth = $10::jsonb, sandboxes = $11::jsonb,
          beat_at = clock_timestamp()
    where tenant_id = $1 and name = $2 and incarnation = $3 and state = $9 returning is_told_to_drain, ${kills}`,
);

export const holdWorker = statement<WorkerRow>(
  'hold_worker',
  `select ${columns} from workers w where w.tenant_id = $1 and w.name = $2 for no key update`,
);

/** Takes the name over where another process has it. A person's word stays with the name. No row where $12 are there already. */
export const putWorker = statement<WorkerRow & { kills: Kill[] }>(
  'put_worker',
  `insert into workers as w (tenant_id, name, incarnation, host, version, slots, capabilities, sandbox, state, worth, sandboxes)
   select $1, $2, $3, $4, $5, $6, $7::text[], $8::jsonb, $9, $10::jsonb, $11::jsonb
    where exists (select from workers where tenant_id = $1 and name = $2)
       or (select count(*) from workers where tenant_id = $1) < $12::int
   on conflict (tenant_id, name) do update
      set incarnation = excluded.incarnation, host = excluded.host, version = excluded.version, slots = excluded.slots,
          capabilities = excluded.capabilities, sandbox = excluded.sandbox, worth = excluded.worth,
          sandboxes = excluded.sandboxes, state = excluded.state, beat_at = clock_timestamp(),
          started_at = case when w.incarnation = excluded.incarnation then w.started_at else clock_timestamp() end
   returning ${columns}, ${kills}`,
);

/** With the runs that each holds, by name, at most $2. */
export const workersOfTenant = statement<WorkerRow & { busy: number }>(
  'workers_of_tenant',
  `select ${columns}, coalesce(held.count, 0)::int as busy
     from workers w left join (
       select worker, count(*) from runs where tenant_id = $1 and state in ('leased', 'starting', 'working') group by worker) held on held.worker = w.name
    where w.tenant_id = $1 order by w.state in ('left', 'gone'), w.name limit $2`,
);

/** A person's word. */
export const tellWorker = statement<{ state: WorkerRow['state'] }>(
  'tell_worker',
  'update workers set is_told_to_drain = $3 where tenant_id = $1 and name = $2 returning state',
);

/** Of every tenant: who should have been heard of and was not for $1 milliseconds. */
export const silentWorkers = statement<{ tenantId: string; name: string }>(
  'silent_workers',
  `select tenant_id, name from workers
    where state in ('active', 'draining') and beat_at < clock_timestamp() - make_interval(secs => $1::int / 1000.0)
    order by beat_at limit $2`,
);

/** No row where it was heard of meanwhile. */
export const markGone = statement<WorkerRow>(
  'mark_worker_gone',
  `update workers w set state = 'gone'
    where w.tenant_id = $1 and w.name = $2 and w.state in ('active', 'draining')
      and w.beat_at < clock_timestamp() - make_interval(secs => $3::int / 1000.0)
   returning ${columns}`,
);

export const forgetWorkers = statement<{ name: string }>(
  'forget_workers',
  `delete from workers where state in ('left', 'gone') and beat_at < clock_timestamp() - make_interval(secs => $1::int) returning name`,
);
