import { beforeEach, expect, it } from 'vitest';
import type { Clock } from '../../../../kernel/clock.ts';
import { createGate } from '../../../../../test/harness/gate.ts';
import { createPool } from './pool.ts';

let made: string[];
let removed: string[];
let dead: Set<string>;
let room: number;
let sleeps: number[];
beforeEach(() => {
  [made, removed, dead, room, sleeps] = [[], [], new Set(), Number.POSITIVE_INFINITY, []];
});

/** Time passes with each thing that is made, and nobody waits for it. */
function pool(make: (shape: string) => Promise<void> = () => Promise.resolve()) {
  let nowMs = 0;
  const clock: Clock = {
    now: () => nowMs,
    mono: () => nowMs,
    sleep: ms => Promise.resolve(void sleeps.push(ms)),
  };
  return createPool<string, string>({
    async make(shape) {
      await make(shape);
      nowMs += 30;
      made.push(`${shape}${made.length}`);
      return made.at(-1) ?? '';
    },
    remove: item => Promise.resolve(void removed.push(item)),
    isSame: (one, other) => one.toLowerCase() === other.toLowerCase(),
    rank: (one, other) => (one === other ? 0 : 1),
    isWell: item => !dead.has(item),
    hasRoom: () => made.length < room,
    countMax: 4,
    clock,
  });
}

it('hands each out once, the oldest first, and makes another for it', async () => {
  const waiting = pool();
  await waiting.want('a', 2);
  expect([waiting.take('a'), waiting.take('b'), waiting.take('a'), waiting.take('a')]).toEqual([
    'a0',
    undefined,
    'a1',
    undefined,
  ]);
  await expect.poll(() => waiting.items()).toEqual(['a2', 'a3']);
  expect(removed).toEqual([]);
});

it('hands out the best first, and any that can be had where there is none', async () => {
  const waiting = pool();
  await waiting.want('a', 2);
  await waiting.want('A', 3);
  expect(waiting.items()).toEqual(['a0', 'a1', 'A2']);
  expect([waiting.take('A'), waiting.take('A')]).toEqual(['A2', 'a0']);
});

it('loses none of which one was taken while the next was being made', async () => {
  const begun = createGate();
  const gate = createGate();
  const waiting = pool(async () => {
    if (made.length !== 1) return;
    begun.open();
    await gate.passed;
  });
  const wanted = waiting.want('a', 2);
  await begun.passed;
  expect(waiting.take('a')).toBe('a0');
  gate.open();
  await wanted;
  await waiting.want('a', 0);
  expect([waiting.items(), removed.toSorted()]).toEqual([[], made.slice(1)]);
});

it('replaces what has ended while it waited, and gives it to nobody', async () => {
  const waiting = pool();
  await waiting.want('a', 2);
  dead.add('a0');
  expect(waiting.take('a')).toBe('a1');
  await expect.poll(() => [removed, waiting.items()]).toEqual([['a0'], ['a2', 'a3']]);
});

it('has no more than its maximum, and no more than there is room for', async () => {
  const waiting = pool();
  await waiting.want('a', 1_000);
  expect(waiting.items()).toHaveLength(4);
  room = 5;
  await waiting.want('b', 3);
  expect([removed.length, waiting.items()]).toEqual([4, ['b4']]);
  await waiting.want('b', Number.NaN);
  expect(waiting.items()).toEqual([]);
});

it('rests after each for as long as it took, so that half of a processor is what it uses', async () => {
  await pool().want('a', 3);
  expect(sleeps).toEqual([30, 30, 30]);
});

it('is empty in the end, also of what is being made when that is said', async () => {
  let go = (): void => {};
  const waiting = pool(() => new Promise(resolve => (go = resolve)));
  const first = waiting.want('a', 2);
  await expect.poll(() => String(go)).not.toBe('() => { }');
  const end = waiting.want('a', 0);
  go();
  await Promise.all([first, end]);
  expect([waiting.items(), removed]).toEqual([[], made]);
});

it('says nothing of what could not be made, and tries again when it is asked again', async () => {
  let isBroken = true;
  const waiting = pool(() => (isBroken ? Promise.reject(new Error('no space')) : Promise.resolve()));
  await waiting.want('a', 2);
  expect(waiting.items()).toEqual([]);
  isBroken = false;
  await waiting.want('a', 2);
  expect(waiting.items()).toHaveLength(2);
});
