import { expect, test } from 'vitest';
import type { Clock } from '../../kernel/clock.ts';
import { createWaitingRoom } from './waiting-room.ts';

/** Its time stands still, and whoever sleeps sleeps until he is woken. */
function stoppedClock(): Clock & { time: number; naps: number[] } {
  const naps: number[] = [];
  const clock = {
    time: 0,
    naps,
    now: () => clock.time,
    mono: () => clock.time,
    sleep(ms: number, signal?: AbortSignal) {
      naps.push(ms);
      return new Promise<void>(resolve => signal?.addEventListener('abort', () => resolve(), { once: true }));
    },
  };
  return clock;
}

const never = new AbortController().signal;

test('a wake lets all try, who has waited longest first, and one after another', async () => {
  const clock = stoppedClock();
  const room = createWaitingRoom({ clock, random: () => 0 });
  const tries: string[] = [];
  let left = 0;
  const wait = (name: string) =>
    room.wait('t', {
      signal: never,
      waitMsMax: 60_000,
      async attempt() {
        tries.push(`${name} begins`);
        await Promise.resolve();
        tries.push(`${name} ends`);
        return left-- > 0 ? name : undefined;
      },
    });
  const [a, b] = [wait('a'), wait('b')];
  room.wake('another');
  expect(tries).toEqual([]);
  left = 1;
  room.wake('t');
  expect(await a).toBe('a');
  left = 1;
  room.wake('t');
  expect(await b).toBe('b');
  expect(tries.slice(0, 4)).toEqual(['a begins', 'a ends', 'b begins', 'b ends']);
  expect(clock.naps.every(ms => ms === 50)).toBe(true);
});

test('the last try knows that it is the last, and what it gives is the end', async () => {
  const clock = stoppedClock();
  const room = createWaitingRoom({ clock, random: () => 1 });
  const tries: boolean[] = [];
  const waiting = room.wait('t', {
    signal: never,
    waitMsMax: 1_000,
    attempt: isLast => Promise.resolve(void tries.push(isLast)),
  });
  clock.time = 999;
  room.wake('t');
  await expect.poll(() => tries).toEqual([false]);
  clock.time = 1_000;
  room.wake('t');
  expect(await waiting).toBeUndefined();
  expect(tries).toEqual([false, true]);
  expect(clock.naps[0]).toBe(100);
});

test('who goes is asked no more; what he was given in that moment is his', async () => {
  const room = createWaitingRoom({ clock: stoppedClock(), random: () => 0 });
  const gone = new AbortController();
  const going = new AbortController();
  const isGone = room.wait('t', { signal: gone.signal, waitMsMax: 1_000, attempt: () => Promise.reject(new Error('was asked')) });
  const isGiven = room.wait('t', {
    signal: going.signal,
    waitMsMax: 1_000,
    attempt() {
      going.abort(new Error('went'));
      return Promise.resolve('given');
    },
  });
  gone.abort(new Error('went'));
  await expect(isGone).rejects.toThrow('went');
  expect(await isGiven).toBe('given');
});

test('what an attempt throws is thrown to its own caller, and to nobody else', async () => {
  const room = createWaitingRoom({ clock: stoppedClock(), random: () => 0 });
  const fails = room.wait('t', { signal: never, waitMsMax: 1_000, attempt: () => Promise.reject(new Error('no database')) });
  const works = room.wait('t', { signal: never, waitMsMax: 1_000, attempt: () => Promise.resolve(1) });
  room.wake('t');
  await expect(fails).rejects.toThrow('no database');
  expect(await works).toBe(1);
});
