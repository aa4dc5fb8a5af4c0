import { statement } from '../../db/statement.ts';
import type { Tables } from '../../db/tables.gen.ts';

export type TokenRow = Omit<Tables['tokens'], 'secretHash'>;

const columns = 'id, tenant_id, name, role, created_at, expires_at, revoked_at';

export const tokenByHash = statement<TokenRow>(
  'token_by_hash',
  `select ${columns} from tokens where secret_hash = $1 and revoked_at is null and (expires_at is null or expires_at > now())`,
);

export const tokensOfTenant = statement<TokenRow>(
  'tokens_of_tenant',
  `select ${columns} from tokens where tenant_id = $1 order by created_at, id`,
);

export const insertToken = statement<TokenRow>(
  'insert_token',
  `insert into tokens (tenant_id, name, role, secret_hash, expires_at)
   values ($1, $2, $3, $4, now() + make_interval(secs => $5::int)) returning ${columns}`,
);

export const revokeTokenRow = statement<TokenRow>(
  'revoke_token',
  `update tokens set revoked_at = coalesce(revoked_at, now()) where tenant_id = $1 and id = $2 returning ${columns}`,
);

/** The tenant of a single-tenant installation. No row when another server has made it since this statement began: ask again. */
export const ensureTenant = statement<{ id: string }>(
  'ensure_tenant',
  `with made as (insert into tenants (name) values ($1) on conflict (name) do nothing returning id)
   select id from made union all select id from tenants where name = $1 limit 1`,
);

/** A statement of its own: the next one looks at what is there when the turn has come, and not when it was asked for. */
export const awaitTurn = statement<object>('await_turn', 'select pg_advisory_xact_lock(7331002)');

/** The first admin token, unless one is there already: only one of several starting servers makes it, in its turn. */
export const insertFirstAdmin = statement<TokenRow>(
  'insert_first_admin',
  `insert into tokens (tenant_id, name, role, secret_hash)
   select $1, 'first admin', 'admin', $2
    where not exists (select from tokens where tenant_id = $1 and role = 'admin' and revoked_at is null
                        and (expires_at is null or expires_at > now()))
   returning ${columns}`,
);
