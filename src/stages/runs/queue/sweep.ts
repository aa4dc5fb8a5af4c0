import type { Database, Tx } from '../../../db/database.ts';
import type { Statement } from '../../../db/statement.ts';
import type { Clock } from '../../../kernel/clock.ts';
import type { Log } from '../../../kernel/log.ts';
import { createLoop, type Lifecycle } from '../../../kernel/loop.ts';
import { sendTicketBack } from '../../tickets/index.ts';
import { expiredRuns, inWorkWithoutRun, readyWithoutRun, submittedAndLeft } from '../runs.sql.ts';
import type { RunSettings } from '../settings.ts';
import { acceptRun, loseRun } from '../verbs.ts';
import { queueRun } from './queue.ts';

interface SweepOptions {
  readonly database: Database;
  readonly settings: RunSettings;
  readonly clock: Clock;
  readonly log: Log;
}

const batchMax = 100;
/** Longest wait between two looks at the leases. */
const idleMsMax = 500;

/** Takes back what fell silent. Any number of servers may sweep at once. */
export function createSweep(options: SweepOptions): Lifecycle {
  const { database, settings, clock, log } = options;
  return createLoop({
    name: 'sweep',
    clock,
    log,
    idleMs: Math.min(idleMsMax, settings.leaseMs / 4),
    async turn() {
      const expired = await database.enginePool.query(expiredRuns, [batchMax]);
      const taken = await forEach(options, expired, (tx, id) => loseRun(tx, id, settings));
      return expired.length === batchMax && taken > 0;
    },
  });
}

/** A job that should have acted on an event is given this long before a net does its work. */
const forgottenMs = 8_000;
/** The nets read whole queues: often enough for what hardly ever happens. */
const netIdleMs = 5_000;

type Found = { readonly tenantId: string; readonly id: string };

/** Does what a lost job left undone, so that no row stays without an owner. */
export function createNets(options: SweepOptions): Lifecycle {
  const { database, settings, clock, log } = options;
  const nets: readonly [Statement<Found>, (tx: Tx, id: string) => Promise<unknown>][] = [
    [readyWithoutRun, (tx, id) => queueRun(tx, id, settings)],
    [inWorkWithoutRun, (tx, id) => sendTicketBack(tx, id, 'its run is gone')],
    [submittedAndLeft, acceptRun],
  ];
  return createLoop({
    name: 'nets',
    clock,
    log,
    idleMs: netIdleMs,
    async turn() {
      for (const [statement, verb] of nets) {
        await forEach(options, await database.enginePool.query(statement, [forgottenMs]), verb);
      }
      return false;
    },
  });
}

/** Each in a transaction of its own: one that fails is logged and holds up no other. Returns how many went well. */
async function forEach(
  { database, log }: SweepOptions,
  found: readonly Found[],
  verb: (tx: Tx, id: string) => Promise<unknown>,
): Promise<number> {
  let done = 0;
  for (const { tenantId, id } of found) {
    try {
      await database.engine({ tenantId, actor: 'sweep' }, tx => verb(tx, id));
      done++;
    } catch (error) {
      log.error({ id, error: String(error) }, 'the sweep could not move a row on');
    }
  }
  return done;
}
