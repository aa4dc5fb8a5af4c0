import type { Clock } from '../../../src/kernel/clock.ts';
import type { Scheduler } from './scheduler.ts';
import { runs } from './wall.ts';

/**
 * One life of a program: what it waits for comes while it lives, and only then. Killed, nothing of it ever goes on; stopped (SIGSTOP), its
 * clocks run and it does not, until it is let go on.
 */
export interface Process {
  /** `now` is off by this machine's own error; `mono` is true and counts while the process is stopped. */
  readonly clock: Clock;
  readonly isAlive: boolean;
  /** Has something done in this process, when the time has come and it runs. */
  after(ms: number, happen: () => void): void;
  /** At once, or when it goes on: an answer that reaches a stopped process lies in its socket. Never, once it is dead. */
  enter(happen: () => void): void;
  kill(): void;
  stopFor(ms: number): void;
}

export function createProcess(scheduler: Scheduler, skewMs: number): Process {
  const clock: Clock = { now: () => scheduler.now() + skewMs, mono: () => scheduler.now(), sleep };
  let isAlive = true;
  let stoppedUntil = 0;

  function enter(happen: () => void): void {
    if (!isAlive) return;
    if (scheduler.now() < stoppedUntil) {
      scheduler.at(stoppedUntil, () => enter(happen));
      return;
    }
    runs(clock);
    happen();
  }

  const after: Process['after'] = (ms, happen) => scheduler.after(ms, () => enter(happen));

  function sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.resolve();
    return new Promise(resolve => {
      let isOver = false;
      const end = (): void => {
        if (isOver || !isAlive) return;
        isOver = true;
        signal?.removeEventListener('abort', end);
        resolve();
      };
      signal?.addEventListener('abort', end);
      after(ms, end);
    });
  }

  return {
    clock,
    get isAlive() {
      return isAlive;
    },
    after,
    enter,
    kill() {
      isAlive = false;
    },
    stopFor(ms) {
      stoppedUntil = Math.max(stoppedUntil, scheduler.now() + ms);
    },
  };
}
