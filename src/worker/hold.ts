import { backoffMs } from '../client/index.ts';
import type { Clock } from '../kernel/clock.ts';

/** Slows the claiming of a worker whose runs fail for its own sake: it would be the fastest of all and eat the queue. */
interface Hold {
  /** Waits while claiming is held back; once over, one run may be claimed, and the next only after another wait. */
  pass(): Promise<void>;
  /** A run failed for what this machine lacks. */
  failed(why: string): void;
  /** A run got further than that. */
  succeeded(): void;
}

interface HoldOptions {
  readonly clock: Clock;
  readonly random: () => number;
  /** Ends every wait. */
  readonly signal: AbortSignal;
  /** Called once when the holding back begins, with the words of the last failure. */
  readonly onHold: (why: string) => void;
  readonly onGo: () => void;
}

/** One failure may be the run's own. */
const failuresFree = 1;
const waits = { firstMs: 1_000, longestMs: 60_000 };

export function createHold({ clock, random, signal, onHold, onGo }: HoldOptions): Hold {
  let failures = 0;
  let until = 0;
  let nap = new AbortController();

  const isHolding = (): boolean => failures > failuresFree;

  function postpone(): void {
    until = clock.mono() + backoffMs(failures - failuresFree - 1, random, waits);
  }

  async function rest(ms: number): Promise<void> {
    nap = new AbortController();
    const wake = (): void => nap.abort();
    signal.addEventListener('abort', wake, { once: true });
    await clock.sleep(ms, nap.signal);
    signal.removeEventListener('abort', wake);
  }

  return {
    async pass() {
      // A run that ends meanwhile changes how long this takes.
      for (let restMs = until - clock.mono(); isHolding() && restMs > 0 && !signal.aborted; restMs = until - clock.mono())
        await rest(restMs);
      if (isHolding()) postpone();
    },
    failed(why) {
      failures += 1;
      if (!isHolding()) return;
      postpone();
      if (failures === failuresFree + 1) onHold(why);
    },
    succeeded() {
      if (isHolding()) onGo();
      failures = 0;
      nap.abort();
    },
  };
}
