import type { Clock } from './clock.ts';
import type { Log } from './log.ts';

/** Something that is started once and stopped once; both are safe to call twice. */
export interface Lifecycle {
  start(): void;
  stop(): Promise<void>;
}

interface LoopOptions {
  readonly name: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Longest wait between two turns, in milliseconds. */
  readonly idleMs: number;
  /** Wait after a wake before the turn, so that a burst is served by one turn. */
  readonly gatherMs?: number;
  /** One bounded turn. True: there is more, go on at once. A throw is logged and followed by the idle wait. */
  readonly turn: (signal: AbortSignal) => Promise<boolean>;
}

export interface Loop extends Lifecycle {
  /** Ask for a turn soon. Wakes during a turn are not lost: one more turn follows. */
  wake(): void;
}

/**
 * The one shape of every background worker: wait for a wake or for the idle time, take one bounded turn, again.
 * Producers only write rows and wake; the loop works at its own pace.
 */
export function createLoop({ name, clock, log, idleMs, gatherMs = 0, turn }: LoopOptions): Loop {
  const stopping = new AbortController();
  let running: Promise<void> | undefined;
  let woken = false;
  let wakeUp = () => {};

  async function rest(): Promise<void> {
    if (woken || stopping.signal.aborted) return;
    const nap = new AbortController();
    wakeUp = () => nap.abort();
    await clock.sleep(idleMs, nap.signal);
    wakeUp = () => {};
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      if (woken && gatherMs > 0) await clock.sleep(gatherMs, stopping.signal);
      woken = false;
      try {
        while (!stopping.signal.aborted && (await turn(stopping.signal)));
      } catch (error) {
        if (!stopping.signal.aborted) log.error({ loop: name, error: String(error) }, 'a turn of the loop failed');
        woken = false;
      }
      await rest();
    }
  }

  return {
    wake() {
      woken = true;
      wakeUp();
    },
    start() {
      running ??= run();
    },
    async stop() {
      stopping.abort();
      wakeUp();
      await running;
    },
  };
}
