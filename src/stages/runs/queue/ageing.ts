import type { Database } from '../../../db/database.ts';
import type { Clock } from '../../../kernel/clock.ts';
import type { Log } from '../../../kernel/log.ts';
import { createLoop, type Lifecycle } from '../../../kernel/loop.ts';
import { announceRun } from '../holder.ts';
import { ageRunRow, runsDueForLong } from './place.sql.ts';

interface AgeingOptions {
  readonly database: Database;
  readonly settings: {
    /** How long a run may be due before it goes first. */
    readonly queueAgeMs: number;
  };
  readonly clock: Clock;
  readonly log: Log;
}

/** Above every priority that a person can give. claim_bars knows it: for the first of those that have aged its files are kept free. */
const agedPriority = 1_000_000;
const batchMax = 100;
/** Longest wait between two looks. */
const idleMsMax = 10_000;

/**
 * Nothing waits for ever: what has been due for long goes before all that has not, the oldest first, and nothing new may take the
 * files that the first of them waits for. Any number of servers may do so at once.
 */
export function createAgeing({ database, settings, clock, log }: AgeingOptions): Lifecycle {
  return createLoop({
    name: 'ageing',
    clock,
    log,
    idleMs: Math.min(idleMsMax, settings.queueAgeMs),
    async turn() {
      const found = await database.enginePool.query(runsDueForLong, [settings.queueAgeMs, batchMax]);
      for (const { tenantId, id } of found) {
        await database.engine({ tenantId, actor: 'sweep' }, async tx => {
          const [run] = await tx.query(ageRunRow, [tenantId, id, agedPriority]);
          if (run !== undefined) announceRun(tx, run, { type: 'run.aged' });
        });
      }
      return found.length === batchMax;
    },
  });
}
