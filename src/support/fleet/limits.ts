import type { limitScopes } from '../../../contract/fleet/limits.ts';
import type { EventType } from '../../../contract/events.ts';
import type { Tx } from '../../db/database.ts';
import { Fault } from '../../kernel/fault.ts';
import { getProject } from '../projects/index.ts';
import { deleteLimitRow, limitOfScope, type LimitRow, limitsOfTenant, putLimitRow } from './limits.sql.ts';
import { wakeClaims } from './wake.ts';

export interface LimitScope {
  readonly scope: (typeof limitScopes)[number];
  /** '' of the tenant. */
  readonly scopeId: string;
}

export function listLimits(tx: Tx): Promise<LimitRow[]> {
  return tx.query(limitsOfTenant, [tx.tenantId]);
}

/** Each claim looks at all of a tenant. */
const limitsMax = 1_000;

/**
 * At most `runsMax` runs of that scope are held at once from here on; what runs already goes on. A worker or a kind of agent need not
 * be there yet. Throws Fault `project_not_found`, `too_large` where there are too many limits.
 */
export async function setLimit(tx: Tx, { runsMax, ...wanted }: LimitScope & { readonly runsMax: number }): Promise<LimitRow> {
  const { scope, scopeId } = named(wanted);
  if (scope === 'project') await getProject(tx, scopeId);
  const [put] = await tx.query(putLimitRow, [tx.tenantId, scope, scopeId, runsMax, limitsMax]);
  if (put === undefined)
    throw new Fault('too_large', { message: `There are at most ${limitsMax} limits`, hint: 'Remove some: skep limit list' });
  const limit = await getLimit(tx, { scope, scopeId });
  await tell(tx, 'limit.changed', limit);
  return limit;
}

/** Throws Fault `limit_not_found`. */
export async function removeLimit(tx: Tx, wanted: LimitScope): Promise<LimitRow> {
  const { scope, scopeId } = named(wanted);
  const limit = await getLimit(tx, { scope, scopeId });
  await tx.query(deleteLimitRow, [tx.tenantId, scope, scopeId]);
  await tell(tx, 'limit.removed', limit);
  return limit;
}

/** Ids of projects are stored in small letters: the same project has one limit however it was written. */
function named({ scope, scopeId }: LimitScope): LimitScope {
  return { scope, scopeId: scope === 'project' ? scopeId.toLowerCase() : scopeId };
}

async function getLimit(tx: Tx, { scope, scopeId }: LimitScope): Promise<LimitRow> {
  const [limit] = await tx.query(limitOfScope, [tx.tenantId, scope, scopeId]);
  if (limit !== undefined) return limit;
  throw new Fault('limit_not_found', { message: `There is no such limit of the ${scope}`, hint: 'See: skep limit list' });
}

async function tell(tx: Tx, type: EventType, { scope, scopeId, runsMax }: LimitRow): Promise<void> {
  tx.announce({ type, subject: { type: 'limit', id: `${scope}:${scopeId}` }, payload: { scope, scopeId, runsMax } });
  await wakeClaims(tx);
}
