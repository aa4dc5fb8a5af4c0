import type { Clock } from '../kernel/clock.ts';
import { isFault } from '../kernel/fault.ts';

export interface Retrying {
  readonly clock: Clock;
  /** Chance, 0 ≤ x < 1. */
  readonly random: () => number;
  /** Ends the trying: its reason is thrown. */
  readonly signal?: AbortSignal | undefined;
  /** From the first try on; where the next would come later, the last error is thrown. Without end when absent. */
  readonly elapsedMsMax?: number | undefined;
  readonly onRetry?: ((error: Error) => void) | undefined;
}

const usualWaits = { firstMs: 200, longestMs: 5_000 };

/** Repeats `work` until it succeeds, fails for good, or the signal is aborted. Only for calls that may be sent twice. */
export async function retrying<T>(options: Retrying, work: () => Promise<T>): Promise<T> {
  const { clock, random, signal, elapsedMsMax = Infinity, onRetry } = options;
  const since = clock.mono();
  for (let failures = 0; ; failures += 1) {
    signal?.throwIfAborted();
    try {
      return await work();
    } catch (error) {
      const waitMs = backoffMs(failures, random);
      if (!isFault(error) || !error.kind.retry || clock.mono() - since + waitMs > elapsedMsMax) throw error;
      onRetry?.(error);
      await clock.sleep(waitMs, signal);
    }
  }
}

/**
 * Doubles, from 0.2 s to 5 s unless told; half of it is chance, so that workers that lost the same server do not come back at
 * once.
 */
export function backoffMs(failures: number, random: () => number, { firstMs, longestMs } = usualWaits): number {
  const whole = Math.min(longestMs, firstMs * 2 ** Math.min(failures, 10));
  return whole / 2 + (random() * whole) / 2;
}
