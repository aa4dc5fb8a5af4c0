/** The only source of time. `now` is the wall clock and may jump; `mono` never goes back and counts while the process is stopped. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Milliseconds since an arbitrary point. */
  mono(): number;
  /** Resolves after `ms`, or at once when `signal` is aborted. Never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  mono: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise(resolve => {
      if (signal?.aborted) return resolve();
      const end = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', end);
        resolve();
      };
      const timer = setTimeout(end, ms);
      signal?.addEventListener('abort', end, { once: true });
    }),
};

/** By how much the kernel's CLOCK_MONOTONIC is ahead of `systemClock.mono`: what another program says of its time can be told by it. Milliseconds. */
export function monotonicAheadMs(): number {
  return Number(process.hrtime.bigint()) / 1e6 - systemClock.mono();
}
