import type { Database } from '../../../db/database.ts';
import type { Listener } from '../../../db/listen.ts';
import type { Clock } from '../../../kernel/clock.ts';
import { Fault } from '../../../kernel/fault.ts';
import type { Log } from '../../../kernel/log.ts';
import { createLoop, type Lifecycle } from '../../../kernel/loop.ts';
import { type ClaimedRun, type ClaimWish, createClaims } from './claim.ts';
import { anythingDue } from '../runs.sql.ts';
import { createSeats } from './seats.ts';
import type { RunSettings } from '../settings.ts';

/** Where workers wait for work. */
export interface ClaimDesk extends Lifecycle {
  /** The next run, waiting for one for at most `waitMs` or until `signal` is aborted. */
  claim(wish: ClaimWish, waitMs: number, signal: AbortSignal): Promise<ClaimedRun | undefined>;
  /** Whoever waits is told that there is nothing; who comes later, Fault `shutting_down`: asked again at once they would spin. */
  drain(): void;
}

interface DeskOptions {
  readonly database: Database;
  readonly listener: Listener;
  readonly settings: RunSettings;
  readonly clock: Clock;
  readonly log: Log;
}

/** Runs that become due without a notification (a retry after its wait) are found by this. */
const tickMs = 500;

/**
 * A queued run wakes one waiting claim, and each claim that got one wakes the next: so 100 waiting workers cost one statement a
 * run and not 100. One that was woken and can do nothing of what waits passes the wake on. The tick wakes one of each tenant for
 * whom something is due: what became due by time, or whose notification was missed.
 */
export function createClaimDesk({ database, listener, settings, clock, log }: DeskOptions): ClaimDesk {
  const seats = createSeats(clock);
  const claim = createClaims(database, settings);
  let isDraining = false;
  const wakeEach = () => {
    for (const tenantId of seats.tenants()) seats.wakeOne(tenantId);
  };
  listener.on('skep_runs', tenantId => {
    if (tenantId === '') wakeEach();
    else seats.wakeOne(tenantId);
  });
  const tick = createLoop({
    name: 'claim tick',
    clock,
    log,
    idleMs: tickMs,
    async turn() {
      for (const tenantId of seats.tenants()) {
        const [row] = await database.enginePool.query(anythingDue, [tenantId]);
        if (row?.due === true) seats.wakeOne(tenantId);
      }
      return false;
    },
  });

  return {
    start: tick.start,
    stop: tick.stop,
    drain() {
      isDraining = true;
      wakeEach();
    },
    async claim(wish, waitMs, signal) {
      if (isDraining) throw new Fault('shutting_down', { hint: 'Ask again in a moment' });
      const deadline = clock.mono() + waitMs;
      const seat = seats.take(wish.tenantId);
      try {
        for (let woken = false; ; ) {
          seat.look();
          const claimed = isDraining ? undefined : await claim(wish);
          if (claimed !== undefined) {
            seats.wakeOne(wish.tenantId);
            return claimed;
          }
          if (woken) seat.pass();
          const leftMs = deadline - clock.mono();
          if (leftMs <= 0 || signal.aborted || isDraining) return undefined;
          woken = await seat.wait(leftMs, signal);
          if (signal.aborted) return undefined;
        }
      } finally {
        seat.leave();
      }
    },
  };
}
