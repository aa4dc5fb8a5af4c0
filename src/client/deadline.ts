import type { Clock } from '../kernel/clock.ts';

interface Deadline {
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs `work` with a signal that is aborted by `signal` or when the time is up, and leaves neither a timer nor a listener
 * behind. AbortSignal.any is not used: its result can be collected before it fires on the Node versions that we run on.
 */
export async function withDeadline<T>(
  { clock, timeoutMs, signal }: Deadline,
  work: (limit: AbortSignal) => Promise<T>,
): Promise<T> {
  const limit = new AbortController();
  const over = new AbortController();
  const onAbort = (): void => limit.abort(signal?.reason);
  if (signal?.aborted) onAbort();
  signal?.addEventListener('abort', onAbort, { once: true });
  void clock.sleep(timeoutMs, over.signal).then(() => {
    if (!over.signal.aborted) limit.abort();
  });
  try {
    return await work(limit.signal);
  } finally {
    over.abort();
    signal?.removeEventListener('abort', onAbort);
  }
}
