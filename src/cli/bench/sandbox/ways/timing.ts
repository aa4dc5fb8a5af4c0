import { setMaxListeners } from 'node:events';
import type { Clock } from '../../../../kernel/clock.ts';
import type { AtOnce, Started, Timed, Way } from './way.ts';

/** What bounds a measurement. */
export interface Bounds {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly count: number;
}

const otherListenersMax = 20;
/** Fewer say nothing. */
const startsMin = 3;

/** One after another, each ended before the next; after `msMax` no more are begun. */
export async function oneByOne(way: Way, { clock, signal, count, msMax }: Bounds & { readonly msMax: number }): Promise<Timed> {
  const startMs: number[] = [];
  const endMs: number[] = [];
  const until = clock.mono() + msMax;
  for (let i = 0; i < count && (i < startsMin || clock.mono() < until); i++) {
    signal.throwIfAborted();
    await way.prepare?.(1);
    const from = clock.mono();
    const started = await way.start();
    startMs.push(firstMs(started, { from, now: clock.mono() }) - from);
    const ending = clock.mono();
    await started.end();
    endMs.push(clock.mono() - ending);
  }
  return { startMs, endMs };
}

/** All of them asked for in one moment; they live together until the last has written and what `watch` answers has seen them. */
export async function atOnce(
  way: Way,
  { clock, signal, count }: Bounds,
  watch?: () => () => number | undefined,
): Promise<AtOnce> {
  signal.throwIfAborted();
  // Each of them listens, until it has written.
  setMaxListeners(count + otherListenersMax, signal);
  await way.prepare?.(count);
  const memory = watch?.();
  const from = clock.mono();
  const startMs = Array.from({ length: count }, () => Number.NaN);
  const begun = startMs.map(async (_, i) => {
    const started = await way.start();
    startMs[i] = firstMs(started, { from, now: clock.mono() }) - from;
    return started;
  });
  const settled = await Promise.allSettled(begun);
  const started = settled.flatMap(one => (one.status === 'fulfilled' ? [one.value] : []));
  const allKb = started.length === count ? memory?.() : undefined;
  await endAll(started);
  signal.throwIfAborted();
  const failed = settled.find(one => one.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  return { count, wallMs: Math.max(...startMs), startMs, memoryKb: allKb === undefined ? undefined : allKb / count };
}

/** A kernel of its own, as gVisor's, counts its time from another moment: then what is heard is all that is known. */
function firstMs({ firstMs: said }: Started, { from, now }: { readonly from: number; readonly now: number }): number {
  return said !== undefined && said >= from && said <= now ? said : now;
}

async function endAll(started: readonly Started[]): Promise<void> {
  const ends = await Promise.allSettled(started.map(one => one.end()));
  const failed = ends.find(end => end.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

/** By how many that were asked for later one of them was overtaken, at most. */
export function overtakenMost(startMs: readonly number[]): number {
  return Math.max(0, ...startMs.map((ms, i) => startMs.slice(i + 1).filter(later => later < ms).length));
}

/** The smallest value that is not below this share of the values. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}
