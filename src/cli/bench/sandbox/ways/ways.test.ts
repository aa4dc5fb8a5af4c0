import { existsSync, statSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../../../kernel/clock.ts';
import { watchMemory } from './memory.ts';
import { startProcess } from './process.ts';
import { tinyProgram } from './tiny.ts';
import { atOnce, oneByOne, overtakenMost, quantile } from './timing.ts';
import type { Started, Way } from './way.ts';

const around = { clock: systemClock, signal: new AbortController().signal };
const program = await tinyProgram(systemClock);
afterAll(() => program.remove());

describe('what is started', () => {
  it('writes at once, stays until it is killed, and can be started by everybody', async () => {
    expect(program.is).toContain('first instruction');
    expect(statSync(program.folder).mode & 0o777).toBe(0o755);
    expect(statSync(program.argv[0]).mode & 0o777).toBe(0o755);
    const memory = watchMemory('no such mark');
    const askedMs = systemClock.mono();
    const { end, firstMs } = await startProcess(program.argv, around);
    expect(firstMs).toBeGreaterThan(askedMs);
    expect(firstMs).toBeLessThan(systemClock.mono());
    expect(memory()).toBeGreaterThan(0);
    expect(memory()).toBeLessThan(200);
    await end();
    expect(memory()).toBe(0);
  });

  it('is a shell on a processor whose instructions are not known, and on one that it was not written for', async () => {
    for (const arch of ['mips', process.arch === 'arm64' ? 'x64' : 'arm64']) {
      const other = await tinyProgram(systemClock, arch);
      expect(other.is).toContain('sh');
      const { end, firstMs } = await startProcess(other.argv, around);
      expect(firstMs).toBeUndefined();
      await end();
      other.remove();
      expect(existsSync(other.folder)).toBe(false);
    }
  });

  it('is told by its last words where it never writes', async () => {
    await expect(startProcess(['/bin/sh', '-c', 'echo no room >&2; exit 3'], around)).rejects.toThrow('no room');
    await expect(startProcess(['/bin/sh', '-c', 'exit 3'], around)).rejects.toThrow('ended with 3');
    await expect(startProcess(['/no/such/program'], around)).rejects.toThrow('ENOENT');
  });

  it('ends with all that it has started, also when all is given up', async () => {
    const stopping = new AbortController();
    const started = startProcess(['/bin/sh', '-c', 'sleep 3141.5 & wait'], { ...around, signal: stopping.signal });
    stopping.abort(new Error('given up'));
    await expect(started).rejects.toThrow('given up');
    const { end } = await startProcess(['/bin/sh', '-c', 'sleep 3141.5 & echo; wait'], around);
    // Its output is closed only when nobody has it any more.
    await end();
  });
});

describe('timing', () => {
  function counted(): { way: Way; seen: { alive: number; most: number; prepared: number[] } } {
    const seen = { alive: 0, most: 0, prepared: [] as number[] };
    const start = async (): Promise<Started> => {
      seen.most = Math.max(seen.most, ++seen.alive);
      return { end: async () => void seen.alive-- };
    };
    return { way: { name: '', isOurs: true, prepare: async count => void seen.prepared.push(count), start }, seen };
  }

  it('has one at a time, or all at once, and none at the end', async () => {
    const { way, seen } = counted();
    expect((await oneByOne(way, { ...around, count: 5, msMax: 60_000 })).startMs).toHaveLength(5);
    expect([seen.most, seen.alive, seen.prepared]).toEqual([1, 0, [1, 1, 1, 1, 1]]);
    const { startMs, memoryKb, wallMs } = await atOnce(way, { ...around, count: 7 }, () => () => 7 * seen.alive);
    expect([startMs.length, memoryKb, seen.alive]).toEqual([7, 7, 0]);
    expect(wallMs).toBe(Math.max(...startMs));
    expect(seen.prepared.at(-1)).toBe(7);
  });

  it('stops early where it takes too long, ends what it has begun where one fails, and begins nothing when all is given up', async () => {
    const { way, seen } = counted();
    expect((await oneByOne(way, { ...around, count: 500, msMax: 0 })).startMs).toHaveLength(3);
    let begun = 0;
    const failing: Way = { ...way, start: () => (++begun === 3 ? Promise.reject(new Error('no third')) : way.start()) };
    await expect(atOnce(failing, { ...around, count: 5 })).rejects.toThrow('no third');
    expect([begun, seen.alive]).toEqual([5, 0]);
    const given = AbortSignal.abort(new Error('given up'));
    await expect(oneByOne(way, { ...around, signal: given, count: 5, msMax: 1 })).rejects.toThrow('given up');
  });

  it('counts by how many one was overtaken, and knows the median from the slowest', () => {
    expect([overtakenMost([1, 2, 3]), overtakenMost([3, 1, 2, 4]), overtakenMost([])]).toEqual([0, 2, 0]);
    expect([quantile([4, 1, 3, 2], 0.5), quantile([4, 1, 3, 2], 0.99), quantile([], 0.5)]).toEqual([2, 4, Number.NaN]);
  });
});
