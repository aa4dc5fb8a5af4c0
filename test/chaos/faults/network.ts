import { systemClock } from '../../../src/kernel/clock.ts';
import { type Load, ownLine } from '../load.ts';
import type { Weather } from '../proxy.ts';
import { underLoad } from './disturb.ts';

interface Storm {
  readonly what: string;
  readonly weather: Weather | 'reset';
  /** How long it lasts. */
  readonly ms: number;
}

/** Between a worker and its server. Longer than the lease is when the worker must notice by itself that it has lost it. */
export const storms: readonly Storm[] = [
  { what: 'is reset', weather: 'reset', ms: 0 },
  { what: 'is half-open for 1 s', weather: { hole: true }, ms: 1_000 },
  { what: 'is half-open for longer than the lease', weather: { hole: true }, ms: 6_000 },
  { what: 'is slow: 300 ms', weather: { latencyMs: 300 }, ms: 3_000 },
  { what: 'is slow: 8 KiB a second', weather: { bytesPerS: 8_192 }, ms: 3_000 },
  { what: 'breaks off in the middle of answers', weather: { cutAtByte: 700 }, ms: 1_000 },
];

export async function stormOnTheWay(load: Load, { what, weather, ms }: Storm, times: number): Promise<void> {
  const { line, url } = await ownLine(load.urls[0] ?? '');
  load.worker('on the way', { url });
  await underLoad(load, {
    ...{ what: `the line between a worker and its server ${what}`, times, betweenMs: 700 },
    async act() {
      if (weather === 'reset') return line.reset();
      line.set(weather);
      await systemClock.sleep(ms);
      line.set({});
      // What was swallowed never comes: whoever waits for it must find out, or is told by the end of the connection.
      if (weather.hole === true) line.reset();
    },
  });
}
