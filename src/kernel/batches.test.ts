import { describe, expect, test } from 'vitest';
import { createBatches } from './batches.ts';
import type { Clock } from './clock.ts';

/** Serves when it is told to, and keeps what it was asked. */
function gated({ countMax = 3, atOnceMax = 1, clock }: { countMax?: number; atOnceMax?: number; clock?: Clock } = {}) {
  const served: string[] = [];
  const gates: (() => void)[] = [];
  const batches = createBatches<string, string>({
    countMax,
    atOnceMax,
    ...(clock === undefined ? {} : { gather: { clock, restMsMax: 5, besideMs: 50 } }),
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

const turn = () => new Promise(resolve => setImmediate(resolve));

/** Time that passes by hand. */
function handClock(): Clock & { pass(ms: number): void; sleeps(): number[] } {
  let nowMs = 0;
  let asleep: { readonly ms: number; readonly untilMs: number; readonly wake: () => void }[] = [];
  return {
    now: () => nowMs,
    mono: () => nowMs,
    sleep: (ms, signal) =>
      new Promise(resolve => {
        const sleeper = { ms, untilMs: nowMs + ms, wake: resolve };
        asleep.push(sleeper);
        signal?.addEventListener('abort', () => {
          asleep = asleep.filter(each => each !== sleeper);
          resolve();
        });
      }),
    pass(ms) {
      nowMs += ms;
      const due = asleep.filter(({ untilMs }) => untilMs <= nowMs);
      asleep = asleep.filter(each => !due.includes(each));
      for (const { wake } of due) wake();
    },
    /** How long each sleeps, but for those who look whether a batch is silent. */
    sleeps: () => asleep.map(({ ms }) => ms).filter(ms => ms !== 50),
  };
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

  test('rest as long as the last took, at most five milliseconds, and go on with all that came', async () => {
    const time = handClock();
    const { batches, served, next } = gated({ countMax: 9, atOnceMax: 2, clock: time });
    const all = [batches('k', 'a')];
    await expect.poll(() => served).toEqual(['k:a']);
    all.push(batches('k', 'b'));
    time.pass(3);
    await next();
    expect(await all[0]).toBe('A');
    await expect.poll(() => time.sleeps()).toEqual([3]);
    all.push(batches('k', 'c'));
    await turn();
    expect(served).toEqual(['k:a']);
    time.pass(3);
    await expect.poll(() => served).toEqual(['k:a', 'k:bc']);
    time.pass(40);
    await next();
    await expect.poll(() => time.sleeps()).toEqual([5]);
    time.pass(5);
    expect(await Promise.all(all)).toEqual(['A', 'B', 'C']);
    all.push(batches('k', 'd'));
    await expect.poll(() => served).toEqual(['k:a', 'k:bc', 'k:d']);
    await next();
  });

  test('rest no longer when a whole one has come', async () => {
    const time = handClock();
    const { batches, served, next } = gated({ clock: time });
    const all = [batches('k', 'a')];
    await expect.poll(() => served).toEqual(['k:a']);
    time.pass(3);
    await next();
    await expect.poll(() => time.sleeps()).toEqual([3]);
    all.push(...['b', 'c', 'd', 'e'].map(each => batches('k', each)));
    await expect.poll(() => served).toEqual(['k:a', 'k:bcd']);
    await next();
    await expect.poll(() => time.sleeps()).toEqual([0]);
    time.pass(0);
    await expect.poll(() => served).toEqual(['k:a', 'k:bcd', 'k:e']);
    await next();
    expect(await Promise.all(all)).toEqual(['A', 'B', 'C', 'D', 'E']);
  });

  test('begin beside one that has fallen silent, and go on without it', async () => {
    const time = handClock();
    const { batches, served, next } = gated({ atOnceMax: 2, clock: time });
    const silent = ['a', 'z'].map(each => batches('k', each));
    await expect.poll(() => served).toEqual(['k:az']);
    const all = ['b', 'c'].map(each => batches('k', each));
    await turn();
    expect(served).toEqual(['k:az']);
    time.pass(50);
    await expect.poll(() => served).toEqual(['k:az', 'k:bc']);
    // The gate of the silent one stands first.
    const open = next;
    all.push(batches('k', 'd'));
    await turn();
    expect(served).toEqual(['k:az', 'k:bc']);
    time.pass(50);
    await open();
    await open();
    time.pass(5);
    await expect.poll(() => served).toEqual(['k:az', 'k:bc', 'k:d']);
    await open();
    expect(await Promise.all([...silent, ...all])).toEqual(['A', 'Z', 'B', 'C', 'D']);
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
