import type { Clock } from '../kernel/clock.ts';
import { isFault } from '../kernel/fault.ts';

export interface Retrying {
  readonly clock: Clock;
  /** Chance, 0 ≤ x < 1. */
  readonly random: () => number;
  /** Ends the trying: its reason is thrown. */
  readonly signal?: AbortSignal | undefined;
  readonly onRetry?: ((error: Error) => void) | undefined;
}

const firstWaitMs = 200;
const longestWaitMs = 5_000;

/** Repeats `work` until it succeeds, fails for good, or the signal is aborted. Only for calls that may be sent twice. */
export async function retrying<T>({ clock, random, signal, onRetry }: Retrying, work: () => Promise<T>): Promise<T> {
  for (let failures = 0; ; failures += 1) {
    signal?.throwIfAborted();
    try {
      return await work();
    } catch (error) {
      if (!isFault(error) || !error.kind.retry) throw error;
      onRetry?.(error);
      await clock.sleep(backoffMs(failures, random), signal);
    }
  }
}

/** Doubles from 0.2 s to 5 s; half of it is chance, so that workers that lost the same server do not come back at once. */
export function backoffMs(failures: number, random: () => number): number {
  const whole = Math.min(longestWaitMs, firstWaitMs * 2 ** Math.min(failures, 10));
  return whole / 2 + (random() * whole) / 2;
}
