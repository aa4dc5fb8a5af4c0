import type { Database, Scope, Tx } from '../../db/database.ts';
import { Fault } from '../../kernel/fault.ts';
import { hashSecret, randomSecret } from '../../kernel/secret.ts';
import {
  awaitTurn,
  ensureTenant,
  insertFirstAdmin,
  insertToken,
  revokeTokenRow,
  type TokenRow,
  tokenByHash,
  tokensOfTenant,
} from './access.sql.ts';
import type { Role } from './roles.ts';

/** Who speaks: the tenant and role of a token that was just checked. */
export interface Caller extends Scope {
  readonly tokenId: string;
  readonly role: Role;
  /** For what outlives a request. */
  readonly expiresAt: Date | null;
}

const defaultTenant = 'default';

/** The holder of `secret`. Throws Fault `unauthenticated` for one that is unknown, expired or revoked, without saying which. */
export async function authenticate(database: Database, secret: string): Promise<Caller> {
  const [token] = await database.enginePool.query(tokenByHash, [hashSecret(secret)]);
  if (token === undefined) {
    throw new Fault('unauthenticated', {
      message: 'The token is not valid',
      hint: 'It may be mistyped, expired or revoked; an admin makes a new one with: skep token create',
    });
  }
  const { tenantId, id, role, expiresAt } = token;
  return { tenantId, tokenId: id, role, expiresAt, actor: `token:${id}` };
}

/** Makes the tenant and, where no admin token is valid, the first one; its secret is returned this once and only to the server that made it. */
export async function bootstrapAccess(database: Database): Promise<{ tenantId: string; adminToken: string | undefined }> {
  const find = () => database.enginePool.query(ensureTenant, [defaultTenant]);
  const tenant = (await find())[0] ?? (await find())[0];
  if (tenant === undefined) throw new Error('the tenant was neither found nor made');
  const secret = tokenSecret();
  const made = await database.engine({ tenantId: tenant.id, actor: 'bootstrap' }, async tx => {
    await tx.query(awaitTurn);
    const [token] = await tx.query(insertFirstAdmin, [tenant.id, hashSecret(secret)]);
    if (token !== undefined) announceToken(tx, 'token.created', token);
    return token !== undefined;
  });
  return { tenantId: tenant.id, adminToken: made ? secret : undefined };
}

export async function createToken(
  tx: Tx,
  wanted: { name: string; role: Role; expiresInS?: number | undefined },
): Promise<{ token: TokenRow; secret: string }> {
  const secret = tokenSecret();
  const [token] = await tx.query(insertToken, [
    tx.tenantId,
    wanted.name,
    wanted.role,
    hashSecret(secret),
    wanted.expiresInS ?? null,
  ]);
  if (token === undefined) throw new Error('the token was not stored');
  announceToken(tx, 'token.created', token);
  return { token, secret };
}

export async function revokeToken(tx: Tx, id: string): Promise<TokenRow> {
  const [token] = await tx.query(revokeTokenRow, [tx.tenantId, id]);
  if (token === undefined) throw new Fault('token_not_found');
  announceToken(tx, 'token.revoked', token);
  return token;
}

export function listTokens(tx: Tx): Promise<TokenRow[]> {
  return tx.query(tokensOfTenant, [tx.tenantId]);
}

/** The prefix lets a scanner recognise a leaked token. */
function tokenSecret(): string {
  return `skep_${randomSecret()}`;
}

function announceToken(tx: Tx, type: 'token.created' | 'token.revoked', token: TokenRow): void {
  tx.announce({ type, subject: { type: 'token', id: token.id }, payload: { name: token.name, role: token.role } });
}
