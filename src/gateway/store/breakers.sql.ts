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

export const putBreaker = statement<{ provider: string }>(
  'put_breaker',
  `insert into breakers as b (tenant_id, provider, model, state) values ($1, $2, $3, $4::jsonb)
       on conflict (tenant_id, provider, model) do update set state = excluded.state, changed_at = now() returning b.provider`,
);
