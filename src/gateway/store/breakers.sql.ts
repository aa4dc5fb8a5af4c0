import { statement } from '../../db/statement.ts';

interface BreakerRow {
  readonly tenantId: string;
  readonly provider: string;
  readonly model: string;
  readonly state: unknown;
}

/** Those that changed last, so that what nobody asks for any more is not read for ever. */
export const breakersOfAll = statement<BreakerRow>(
  'breakers_of_all',
  'select tenant_id, provider, model, state from breakers order by changed_at desc limit $1::int',
);

/** $5: after how many milliseconds it lets one call through; null: it is closed. */
export const putBreaker = statement<{ provider: string }>(
  'put_breaker',
  `insert into breakers as b (tenant_id, provider, model, state, retry_at)
   values ($1, $2, $3, $4::jsonb, clock_timestamp() + make_interval(secs => $5::int / 1000.0))
       on conflict (tenant_id, provider, model) do update set state = excluded.state, retry_at = excluded.retry_at, changed_at = now()
   returning b.provider`,
);
