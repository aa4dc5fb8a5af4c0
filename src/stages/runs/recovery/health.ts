import type { Database } from '../../../db/database.ts';
import { announceRun } from '../holder.ts';
import type { RunSettings } from '../settings.ts';
import { judgeHealthRow, runsOfOtherHealth } from './recovery.sql.ts';

const batchMax = 500;

/**
 * Writes down how regularly the holders of runs are heard: one missed heartbeat is late, two are degraded, and after the third the
 * lease is over. Heartbeats themselves write nothing of it. Answers whether there is more.
 */
export async function judgeHealth(database: Database, { leaseMs, heartbeatMs }: RunSettings): Promise<boolean> {
  const found = await database.enginePool.query(runsOfOtherHealth, [leaseMs, heartbeatMs, batchMax]);
  for (const { tenantId, id } of found) {
    await database.engine({ tenantId, actor: 'sweep' }, async tx => {
      const [run] = await tx.query(judgeHealthRow, [leaseMs, heartbeatMs, tenantId, id]);
      if (run !== undefined) announceRun(tx, run, { type: 'run.health', health: run.health, missed: run.missed });
    });
  }
  return found.length === batchMax;
}
