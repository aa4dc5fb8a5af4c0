import { toWire } from '../../../contract/case.ts';
import { topRowsMax, type WireTop } from '../../../contract/fleet/top.ts';
import type { Database, Scope, Tx } from '../../db/database.ts';
import { getBrake, wireBrake } from '../../support/fleet/index.ts';
import { breakerState } from './model/breaker.ts';
import { heldBack } from './model/held-back.ts';
import {
  brakeTaken,
  breakersNow,
  dueGroups,
  heldGroups,
  limitsInForce,
  liveRuns,
  queueTotals,
  retriesWaiting,
  serversNow,
  workersNow,
} from './top.sql.ts';

/** Kinds of runs that are due, of runs that are held, and limits: more are not looked at for what holds runs back. */
const groupsMax = 1_000;
/** Of so many runs, in the order in which they would be claimed, the files are looked at. */
const filesOfRunsMax = 300;

/** What happens now in the tenant, and which servers there are. All times and ages are of the database's clock. */
export async function readTop(database: Database, scope: Scope): Promise<WireTop> {
  const top = await database.request(scope, tx => readTenant(tx));
  const servers = await database.enginePool.query(serversNow, [topRowsMax]);
  return { ...top, servers: servers.map(toWire) };
}

async function readTenant(tx: Tx): Promise<Omit<WireTop, 'servers'>> {
  const { tenantId } = tx;
  const [totals] = await tx.query(queueTotals, [tenantId, groupsMax]);
  if (totals === undefined) throw new Error('the queue has no totals');
  const { at, waiting, questions, oldestMs, kinds, ...counts } = totals;
  const brake = await getBrake(tx);
  const isTaken = brake?.state === 'trying' && (await tx.query(brakeTaken, [tenantId])).length > 0;
  const held = await tx.query(heldGroups, [tenantId, groupsMax]);
  const due = counts.due === 0 ? [] : await tx.query(dueGroups, [tenantId, JSON.stringify(kinds), filesOfRunsMax]);
  const limits = counts.due === 0 ? [] : await tx.query(limitsInForce, [tenantId, groupsMax]);
  const runs = held.length === 0 ? [] : await tx.query(liveRuns, [tenantId, topRowsMax]);
  const retries = counts.later === 0 ? [] : await tx.query(retriesWaiting, [tenantId, topRowsMax]);
  const breakers = await tx.query(breakersNow, [tenantId, topRowsMax]);
  return {
    at: at.toISOString(),
    queue: {
      ...counts,
      oldest_ms: oldestMs,
      held_back: heldBack({ due, held, limits, brake: brake && { ...brake, isTaken } }),
      waiting,
      questions,
    },
    runs: runs.map(toWire),
    retries: retries.map(toWire),
    workers: (await tx.query(workersNow, [tenantId, topRowsMax])).map(toWire),
    breakers: breakers.map(({ provider, model, state, changedAt }) => {
      const now = breakerState(state, at.getTime());
      const open_until = now.openUntil === null ? null : new Date(now.openUntil).toISOString();
      return { provider, model, state: now.state, open_until, changed_at: changedAt.toISOString() };
    }),
    brake: wireBrake(brake),
  };
}
