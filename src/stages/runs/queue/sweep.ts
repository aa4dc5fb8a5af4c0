import type { Database } from '../../../db/database.ts';
import type { Clock } from '../../../kernel/clock.ts';
import type { Log } from '../../../kernel/log.ts';
import { createLoop, type Lifecycle } from '../../../kernel/loop.ts';
import { queueRun } from './queue.ts';
import { expiredRuns, readyWithoutRun, submittedAndLeft } from '../runs.sql.ts';
import type { RunSettings } from '../settings.ts';
import { acceptRun, loseRun } from '../verbs.ts';

interface SweepOptions {
  readonly database: Database;
  readonly settings: RunSettings;
  readonly clock: Clock;
  readonly log: Log;
}

const batchMax = 100;
/** Longest wait between two looks at the leases. */
const idleMsMax = 500;
/** A job that should have acted on an event is given this long before the sweep does its work. */
const forgottenMs = 8_000;

/** Takes back what fell silent, and does what a lost job left undone. Any number of servers may sweep at once. */
export function createSweep({ database, settings, clock, log }: SweepOptions): Lifecycle {
  return createLoop({
    name: 'sweep',
    clock,
    log,
    idleMs: Math.min(idleMsMax, settings.leaseMs / 4),
    async turn() {
      const expired = await database.enginePool.query(expiredRuns, [batchMax]);
      for (const { tenantId, id } of expired) {
        const taken = await database.engine({ tenantId, actor: 'sweep' }, tx => loseRun(tx, id, settings));
        if (taken) log.warn({ run: id }, 'the holder of a run fell silent; its lease was taken back');
      }
      for (const { tenantId, id } of await database.enginePool.query(readyWithoutRun, [forgottenMs])) {
        await database.engine({ tenantId, actor: 'sweep' }, tx => queueRun(tx, id, settings));
      }
      for (const { tenantId, id } of await database.enginePool.query(submittedAndLeft, [forgottenMs])) {
        await database.engine({ tenantId, actor: 'sweep' }, tx => acceptRun(tx, id));
      }
      return expired.length === batchMax;
    },
  });
}
