import type { Database } from '../../../db/database.ts';
import type { Clock } from '../../../kernel/clock.ts';
import type { Log } from '../../../kernel/log.ts';
import { createLoop, type Lifecycle } from '../../../kernel/loop.ts';
import { forgetKills } from '../kills/kills.sql.ts';
import { announceWorker, beatMs } from './verbs.ts';
import { forgetWorkers, markGone, silentWorkers } from './workers.sql.ts';

interface SweepOptions {
  readonly database: Database;
  readonly clock: Clock;
  readonly log: Log;
}

/** Three beats. What it held is decided by its leases alone: this is for people, and for what is said of the fleet. */
const silentMs = 3 * beatMs;
const forgottenS = 86_400;
const idleMs = 1_000;
const batchMax = 100;

/** Says of workers that fell silent that they are gone, and forgets them after a day. Any number of servers may sweep at once. */
export function createWorkerSweep({ database, clock, log }: SweepOptions): Lifecycle {
  return createLoop({
    name: 'worker sweep',
    clock,
    log,
    idleMs,
    async turn() {
      const silent = await database.enginePool.query(silentWorkers, [silentMs, batchMax]);
      for (const { tenantId, name } of silent) {
        await database.engine({ tenantId, actor: 'sweep' }, async tx => {
          const [gone] = await tx.query(markGone, [tx.tenantId, name, silentMs]);
          if (gone !== undefined) announceWorker(tx, 'worker.gone', gone);
        });
      }
      await database.enginePool.query(forgetWorkers, [forgottenS]);
      await database.enginePool.query(forgetKills, [forgottenS]);
      return silent.length === batchMax;
    },
  });
}
