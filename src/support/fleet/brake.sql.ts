import { statement } from '../../db/statement.ts';
import type { Tables } from '../../db/tables.gen.ts';

type Stored = Tables['brakes'];

export type BrakeRow = Omit<Stored, 'tenantId'>;

const columns = 'b.state, b.reason, b.pulled_by, b.pulled_at, b.due_at, b.pulls, b.changed_at';

const dueIn = `$4::bigint * interval '1 millisecond'`;

export const brakeOfTenant = statement<BrakeRow>('brake_of_tenant', `select ${columns} from brakes b where b.tenant_id = $1`);

/** The same for who decides by what it is: it stays so until then. */
export const holdBrakeRow = statement<BrakeRow>(
  'hold_brake',
  `select ${columns} from brakes b where b.tenant_id = $1 for no key update`,
);

/**
 * One that is on already stays as it is, whoever pulls again, unless it would end by itself and is now to hold until a person lifts it.
 * Of two who pull at once the second finds it on.
 */
export const pullBrakeRow = statement<BrakeRow>(
  'pull_brake',
  `insert into brakes as b (tenant_id, state, reason, pulled_by, due_at, pulls)
   values ($1, 'on', $2, $3, clock_timestamp() + ${dueIn}, 1)
   on conflict (tenant_id) do update
      set state = 'on', reason = excluded.reason, pulled_by = excluded.pulled_by, pulled_at = excluded.pulled_at, due_at = excluded.due_at,
          pulls = case b.state when 'on' then b.pulls else b.pulls + 1 end, changed_at = clock_timestamp()
    where b.state <> 'on' or (b.due_at is not null and excluded.due_at is null)
   returning ${columns}`,
);

/** Only one whose time has come. */
export const easeBrakeRow = statement<BrakeRow>(
  'ease_brake',
  `update brakes b set state = 'trying', due_at = null, changed_at = clock_timestamp()
    where b.tenant_id = $1 and b.state = 'on' and b.due_at <= clock_timestamp() returning ${columns}`,
);

/** Begins the count of pulls anew; $2 says from which states. */
export const liftBrakeRow = statement<BrakeRow>(
  'lift_brake',
  `update brakes b set state = 'off', due_at = null, pulls = 0, changed_at = clock_timestamp()
    where b.tenant_id = $1 and b.state = any ($2::text[]) returning ${columns}`,
);

/** Brakes whose time has come, of every tenant. */
export const brakesDue = statement<{ tenantId: string }>(
  'brakes_due',
  `select tenant_id from brakes where state = 'on' and due_at <= clock_timestamp() order by due_at limit $1`,
);
