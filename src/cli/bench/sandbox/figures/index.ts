import {
  copiesThatFit,
  copyLimits,
  dependenciesSnapshot,
  dependencyFiles,
  repositoryFiles,
  repositorySnapshot,
} from './copies.ts';
import type { Snapshot } from './copies.ts';
import { watchMemory } from '../ways/memory.ts';
import type { Measure } from '../asked.ts';
import { benchMark, coldWay, startIn } from '../ways/provided.ts';
import type { Means } from '../ways/provided.ts';
import { atOnce, oneByOne, overtakenMost, quantile } from '../ways/timing.ts';
import type { Bounds } from '../ways/timing.ts';
import { tracesOf, untilGone } from './traces.ts';
import type { Way } from '../ways/way.ts';
import type { Measured } from '../ways/index.ts';

/** One number, beside what it is meant to be. */
export interface Figure {
  readonly name: string;
  readonly unit: 'ms' | 'KB' | '';
  readonly value: number;
  /** At most. */
  readonly goal?: number;
  /** What must be known to read it. */
  readonly note?: string;
}

/** The goals are those of issue 8: a sandbox in a millisecond; what is at once is of a hundred. */
const hundred = 100;
const goalOf = (count: number, goal: number): { goal?: number } => (count === hundred ? { goal } : {});

/** What the table of ways says of ours, beside its goals. */
export function wayFigures(ways: readonly Measured[], { cold, warm }: { cold: string; warm: string }): Figure[] {
  const coldOne = ways.find(({ name }) => name === cold);
  const warmOne = ways.find(({ name }) => name === warm);
  const together = (what: string, { count, wallMs }: Measured['atOnce'], goal: number): Figure => ({
    ...{ name: `${count} ${what} at once`, unit: 'ms', value: wallMs },
    ...goalOf(count, goal),
  });
  return [
    ...(coldOne === undefined ? [] : [together('cold', coldOne.atOnce, 400)]),
    ...(warmOne === undefined
      ? []
      : [
          {
            name: 'warm, asked for to first instruction, p50',
            unit: 'ms' as const,
            value: quantile(warmOne.startMs, 0.5),
            goal: 1,
          },
          { name: 'the same, p99', unit: 'ms' as const, value: quantile(warmOne.startMs, 0.99), goal: 5 },
          together('warm', warmOne.atOnce, 60),
        ]),
  ];
}

/** Twice as many as were prepared: those that come too late wait, and in turn. */
export async function queueFigures(warm: Way, { clock, signal, count }: Measure): Promise<Figure[]> {
  await warm.prepare?.(count);
  const { startMs, wallMs } = await atOnce({ name: '', isOurs: true, start: warm.start }, { clock, signal, count: 2 * count });
  await warm.release?.();
  const name = `${2 * count} asked of ${count} warm`;
  return [
    { name, unit: 'ms', value: wallMs },
    {
      name: `${name}, overtaken by at most`,
      unit: '',
      value: overtakenMost(startMs),
      note: 'of those that were asked for later',
    },
  ];
}

const settleMs = 200;

/** Processes of sandboxes that wait to be asked for; the disks that they have are the kernel's. */
export async function idleFigure({ provider, limits }: Means, { clock, signal, count }: Measure): Promise<Figure[]> {
  await provider.prewarm(limits, 0);
  await clock.sleep(settleMs, signal);
  const memory = watchMemory(benchMark);
  await provider.prewarm(limits, count);
  await clock.sleep(settleMs, signal);
  const allKb = memory();
  await provider.prewarm(limits, 0);
  signal.throwIfAborted();
  if (allKb === undefined) throw new Error('the memory of its processes may not be read by this user');
  const value = allKb / count;
  const note = allKb === 0 ? 'until they are asked for they have no process' : `of ${count} that are warm`;
  return [{ name: 'memory of one that is idle (PSS)', unit: 'KB', value, goal: 300, note }];
}

const killsMax = 50;

/** From the kill to the moment at which the host shows nothing of it: processes, groups, mounts, files, user. */
export async function killFigure(means: Means, { clock, signal, count, place }: Measure): Promise<Figure[]> {
  const endMs: number[] = [];
  for (let i = 0; i < Math.min(count, killsMax); i++) {
    signal.throwIfAborted();
    const { sandbox } = await startIn(means);
    const traces = tracesOf(sandbox.id);
    const from = clock.mono();
    await sandbox.kill();
    const killedMs = clock.mono() - from;
    const looked = clock.mono();
    const waited = await untilGone(sandbox.id, { traces, home: place.home, clock });
    // Where nothing was left at the first look, the look is no part of it.
    endMs.push(waited ? killedMs + (clock.mono() - looked) : killedMs);
  }
  return [
    { name: 'from the kill to nothing left, p50', unit: 'ms', value: quantile(endMs, 0.5), goal: 10 },
    { name: 'the same, p99', unit: 'ms', value: quantile(endMs, 0.99) },
  ];
}

const copyMsMax = 20_000;
const copiesOneByOne = 20;

/** Sandboxes that begin as a snapshot, beside those that begin empty. */
async function startsFrom(
  snapshot: Snapshot,
  means: Means,
  { clock, signal, count }: Bounds,
): Promise<{ readonly way: Way; readonly usual: number; readonly adds: number }> {
  const way = coldWay('', { ...means, from: [snapshot] });
  // The first brings what is in it into the file cache.
  await (await way.start()).end();
  const bounds = { clock, signal, count: Math.min(count, copiesOneByOne), msMax: copyMsMax };
  const empty = await oneByOne(coldWay('', means), bounds);
  const usual = quantile((await oneByOne(way, bounds)).startMs, 0.5);
  return { way, usual, adds: Math.max(0, usual - quantile(empty.startMs, 0.5)) };
}

/** Sandboxes that begin with a repository checked out, beside those that begin empty. */
export async function copiesFigures(given: Means, { clock, signal, count, place }: Measure): Promise<Figure[]> {
  const means = { ...given, limits: copyLimits(given.limits) };
  const fit = copiesThatFit(place.home);
  if (fit < 2) throw new Error(`the disk of ${place.home} has no room for copies of a repository`);
  const snapshot = await repositorySnapshot(means, signal);
  try {
    const { way, usual, adds } = await startsFrom(snapshot, means, { clock, signal, count });
    const together = Math.max(1, Math.min(count, fit, Math.floor(copyMsMax / usual)));
    const { wallMs } = await atOnce(way, { clock, signal, count: together });
    const files = repositoryFiles.toLocaleString('en');
    return [
      { name: `cold, with a working copy of ${files} files, p50`, unit: 'ms', value: usual },
      { name: 'what the working copy adds', unit: 'ms', value: adds, goal: 10 },
      {
        ...{ name: `${together} with working copies at once`, unit: 'ms', value: wallMs },
        ...goalOf(together, 1_000),
        ...(together < count ? { note: together === fit ? 'more have no room on the disk' : 'more would take too long' } : {}),
      },
    ];
  } finally {
    await snapshot.remove();
  }
}

/** Sandboxes that begin with what a setup command has left, as it is kept: that of a run whose dependencies others have had before. */
export async function dependenciesFigures(given: Means, { clock, signal, count, place }: Measure): Promise<Figure[]> {
  const means = { ...given, limits: copyLimits(given.limits) };
  if (copiesThatFit(place.home) < 2) throw new Error(`the disk of ${place.home} has no room for copies of dependencies`);
  const snapshot = await dependenciesSnapshot(means, signal);
  try {
    const { usual, adds } = await startsFrom(snapshot, means, { clock, signal, count });
    const files = dependencyFiles.toLocaleString('en');
    return [
      { name: `cold, with cached dependencies of ${files} files, p50`, unit: 'ms', value: usual, goal: 20 },
      { name: 'what the cached dependencies add', unit: 'ms', value: adds },
    ];
  } finally {
    await snapshot.remove();
  }
}
