import type { Database, Tx } from '../../../db/database.ts';
import type { Statement } from '../../../db/statement.ts';
import type { Clock } from '../../../kernel/clock.ts';
import type { Log } from '../../../kernel/log.ts';
import { createLoop, type Lifecycle } from '../../../kernel/loop.ts';
import { sendTicketBack } from '../../tickets/index.ts';
import { expiredRuns, inWorkWithoutRun, readyWithoutRun } from '../runs.sql.ts';
import type { RunSettings } from '../settings.ts';
import { judgeHealth } from '../recovery/health.ts';
import { loseRun } from '../recovery/lose.ts';
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

/** Takes back what fell silent, and says what is about to. Any number of servers may sweep at once. */
export function createSweep({ database, settings, clock, log }: SweepOptions): Lifecycle {
  return createLoop({
    name: 'sweep',
    clock,
    log,
    idleMs: Math.min(idleMsMax, settings.leaseMs / 4),
    async turn() {
      const expired = await database.enginePool.query(expiredRuns, [batchMax]);
      const taken = await forEach(log, expired, (tenantId, id) =>
        database.engine({ tenantId, actor: 'sweep' }, tx => loseRun(tx, id, settings)),
      );
      const judged = await judgeHealth(database, settings);
      return (expired.length === batchMax && taken > 0) || judged;
    },
  });
}

/** A job that should have acted on an event is given this long before a net does its work. */
const forgottenMs = 8_000;
/** Often enough for what hardly ever happens. */
const netIdleMs = 5_000;
/** The nets read whole queues: where those are long, a look is followed by so many times as much rest. Of a million it takes 2 s. */
const restPerLook = 50;
const restMsMax = 100_000;

interface Found {
  readonly tenantId: string;
  readonly id: string;
}

/** Finds rows, older than its parameter in milliseconds, on which an event's job should have acted; and acts. */
export interface Net {
  readonly find: Statement<Found>;
  readonly mend: (tenantId: string, id: string) => Promise<unknown>;
}

/**
 * Does what a lost job left undone, so that no row stays without an owner: of runs, and of the later stages that bring theirs. Each
 * net has a loop of its own: one that waits for somebody's repository holds up no other.
 */
export function createNets({ nets, ...options }: SweepOptions & { readonly nets: readonly Net[] }): Lifecycle {
  const { database, settings, clock, log } = options;
  const net = (find: Statement<Found>, verb: (tx: Tx, id: string) => Promise<unknown>): Net => ({
    find,
    mend: (tenantId, id) => database.engine({ tenantId, actor: 'sweep' }, tx => verb(tx, id)),
  });
  const all = [
    net(readyWithoutRun, (tx, id) => queueRun(tx, id, settings)),
    net(inWorkWithoutRun, (tx, id) => sendTicketBack(tx, id, 'its run is gone')),
    ...nets,
  ];
  const loops = all.map(({ find, mend }) =>
    createLoop({
      name: `net of ${find.name}`,
      clock,
      log,
      idleMs: netIdleMs,
      async turn(signal) {
        const beganMs = clock.mono();
        const found = await database.enginePool.query(find, [forgottenMs]);
        const lookedMs = clock.mono() - beganMs;
        await forEach(log, found, mend);
        await clock.sleep(Math.max(0, Math.min(restPerLook * lookedMs, restMsMax) - netIdleMs), signal);
        return false;
      },
    }),
  );
  return {
    start() {
      for (const loop of loops) loop.start();
    },
    async stop() {
      await Promise.all(loops.map(loop => loop.stop()));
    },
  };
}

/** One that fails is logged and holds up no other. Returns how many went well. */
async function forEach(log: Log, found: readonly Found[], mend: Net['mend']): Promise<number> {
  let done = 0;
  for (const { tenantId, id } of found) {
    try {
      await mend(tenantId, id);
      done++;
    } catch (error) {
      log.error({ id, error: String(error) }, 'the sweep could not move a row on');
    }
  }
  return done;
}
