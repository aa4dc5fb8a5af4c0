import { describe, expect, test } from 'vitest';
import { createBatches } from './batches.ts';

/** Serves when it is told to, and keeps what it was asked. */
function gated({ countMax = 3, atOnceMax = 1, besideMin = 1 } = {}) {
  const served: string[] = [];
  const gates: (() => void)[] = [];
  const batches = createBatches<string, string>({
    countMax,
    atOnceMax,
    besideMin,
    async serve(key, asked) {
      served.push(`${key}:${asked.join('')}`);
      await new Promise<void>(open => gates.push(open));
      if (asked.includes('!')) throw new Error('refused');
      return asked.map(each => each.toUpperCase());
    },
  });
  async function next(): Promise<void> {
    await expect.poll(() => gates.length).toBeGreaterThan(0);
    gates.shift()?.();
  }
  return { batches, served, next };
}

describe('batches', () => {
  test('take what came in one moment together, and what comes meanwhile next; each gets its own answer', async () => {
    const { batches, served, next } = gated();
    const first = ['a', 'b'].map(each => batches('k', each));
    await expect.poll(() => served).toEqual(['k:ab']);
    const later = ['c', 'd', 'e', 'f'].map(each => batches('k', each));
    for (let i = 0; i < 3; i++) await next();
    expect(await Promise.all([...first, ...later])).toEqual(['A', 'B', 'C', 'D', 'E', 'F']);
    expect(served).toEqual(['k:ab', 'k:cde', 'k:f']);
  });

  test('are no more at once than they may be', async () => {
    const { batches, served, next } = gated({ atOnceMax: 2 });
    const all = [batches('k', 'a')];
    await expect.poll(() => served).toEqual(['k:a']);
    all.push(...['b', 'c', 'd', 'e'].map(each => batches('k', each)));
    await expect.poll(() => served).toEqual(['k:a', 'k:bcd']);
    all.push(batches('k', 'f'));
    for (let i = 0; i < 3; i++) await next();
    expect(await Promise.all(all)).toEqual(['A', 'B', 'C', 'D', 'E', 'F']);
    expect(served).toEqual(['k:a', 'k:bcd', 'k:ef']);
  });

  test('begin beside another when enough wait for that, and else when it is over', async () => {
    const { batches, served, next } = gated({ countMax: 9, atOnceMax: 2, besideMin: 3 });
    const all = [batches('k', 'a')];
    await expect.poll(() => served).toEqual(['k:a']);
    all.push(...['b', 'c'].map(each => batches('k', each)));
    await next();
    await expect.poll(() => served).toEqual(['k:a', 'k:bc']);
    all.push(...['d', 'e'].map(each => batches('k', each)));
    await new Promise(resolve => setImmediate(resolve));
    expect(served).toEqual(['k:a', 'k:bc']);
    all.push(batches('k', 'f'));
    await expect.poll(() => served).toEqual(['k:a', 'k:bc', 'k:def']);
    for (let i = 0; i < 2; i++) await next();
    expect(await Promise.all(all)).toEqual(['A', 'B', 'C', 'D', 'E', 'F']);
  });

  test('of another key do not wait', async () => {
    const { batches, served, next } = gated();
    const both = [batches('k', 'a'), batches('l', 'b')];
    await expect.poll(() => served).toEqual(['k:a', 'l:b']);
    await next();
    await next();
    expect(await Promise.all(both)).toEqual(['A', 'B']);
  });

  test('that fail are served one by one: what is wrong with one is told to that one', async () => {
    const { batches, served, next } = gated();
    const all = ['a', '!', 'b'].map(each => batches('k', each).catch((error: unknown) => String(error)));
    for (let i = 0; i < 4; i++) await next();
    expect(await Promise.all(all)).toEqual(['A', 'Error: refused', 'B']);
    expect(served).toEqual(['k:a!b', 'k:a', 'k:!', 'k:b']);
  });

  test('may answer one later than the others, which holds up nobody', async () => {
    let finish = () => {};
    const late = new Promise<string>(resolve => (finish = () => resolve('done')));
    const batches = createBatches<string, string>({
      countMax: 9,
      atOnceMax: 1,
      serve: async (_, asked) => asked.map(each => (each === 'late' ? late : each)),
    });
    const waiting = batches('k', 'late');
    expect(await batches('k', 'b')).toBe('b');
    expect(await batches('k', 'c')).toBe('c');
    finish();
    expect(await waiting).toBe('done');
  });

  test('that are given too few answers are refused', async () => {
    const batches = createBatches<string, string>({ countMax: 9, atOnceMax: 1, serve: async () => [] });
    await expect(batches('k', 'a')).rejects.toThrow('a batch of 1 was given 0 answers');
  });
});
