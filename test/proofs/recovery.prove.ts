import { afterEach, beforeAll, expect, test } from 'vitest';
import { agentDies, databaseDies, serverDies, startDies, type Timings, workerDies } from '../../bench/recovery/deaths.ts';
import type { Stage } from '../../bench/harness/bench.ts';
import { buildSkep } from '../harness/process.ts';

beforeAll(buildSkep);

const stops: (() => Promise<unknown>)[] = [];
const stage: Stage = { atEnd: stop => void stops.push(stop), say: () => {}, measuredOn: () => {} };
afterEach(async () => {
  for (let stop = stops.pop(); stop !== undefined; stop = stops.pop()) await stop();
});

/** With every setting at its default, in milliseconds from the kill (PRODUCT 3.4; the peers took 57 s, or for ever). */
test.each<[string, (stage: Stage) => Promise<Timings>, Timings]>([
  ['skep start, server and worker', startDies, { done: 20_000 }],
  ['the server', serverDies, { done: 20_000 }],
  ['the worker', workerDies, { done: 20_000 }],
  ['the database', databaseDies, { back: 15_000, done: 35_000 }],
  ['the agent', agentDies, { noticed: 2_000, again: 10_000 }],
])('kill -9 of %s: all is well again in time', async (what, die, most) => {
  const timings = await die(stage);
  process.stdout.write(`kill -9 of ${what}, in ms: ${JSON.stringify(timings)}\n`);
  const late = Object.entries(most).filter(([name, ms]) => !((timings[name] ?? Number.POSITIVE_INFINITY) <= ms));
  expect([late, timings]).toEqual([[], timings]);
});
