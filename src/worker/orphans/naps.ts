import type { Clock } from '../../kernel/clock.ts';

/** Waits that can be cut short. */
export interface Naps {
  /** Resolves after `ms`, or at once where there was a wake since the last rest. */
  rest(ms: number): Promise<void>;
  wake(): void;
}

/** `signal` ends every rest. */
export function createNaps(clock: Clock, signal: AbortSignal): Naps {
  let nap = new AbortController();
  return {
    async rest(ms) {
      const wake = (): void => nap.abort();
      signal.addEventListener('abort', wake, { once: true });
      if (!signal.aborted) await clock.sleep(ms, nap.signal);
      signal.removeEventListener('abort', wake);
      nap = new AbortController();
    },
    wake: () => nap.abort(),
  };
}
