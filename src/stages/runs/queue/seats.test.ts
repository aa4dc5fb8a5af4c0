import { expect, test } from 'vitest';
import { systemClock } from '../../../kernel/clock.ts';
import { createSeats } from './seats.ts';

const never = new AbortController().signal;
const long = 60_000;

test('a wake between the look and the wait is not missed', async () => {
  const seats = createSeats(systemClock);
  const seat = seats.take('t');
  seat.look();
  seats.wakeOne('t');
  await seat.wait(long, never);
});

test('two wakes wake two, in the order in which they came, each once', async () => {
  const seats = createSeats(systemClock);
  const woken: string[] = [];
  const waits = ['a', 'b', 'c'].map(async name => {
    await seats.take('t').wait(name === 'c' ? 50 : long, never);
    woken.push(name);
  });
  seats.wakeOne('t');
  seats.wakeOne('t');
  seats.wakeOne('another tenant');
  await Promise.all(waits);
  expect(woken).toEqual(['a', 'b', 'c']);
});

test('a wake that is of no use is passed on, once along the line', async () => {
  const seats = createSeats(systemClock);
  const line = ['a', 'b', 'c'].map(() => seats.take('t'));
  seats.wakeOne('t');
  const woken: boolean[] = [];
  for (const seat of line) {
    woken.push(await seat.wait(0, never));
    seat.look();
    seat.pass();
  }
  expect(woken).toEqual([true, true, true]);
  expect(await Promise.all(line.map(seat => seat.wait(0, never)))).toEqual([false, false, false]);
});

test('who leaves with a wake unused hands it on', async () => {
  const seats = createSeats(systemClock);
  const first = seats.take('t');
  const second = seats.take('t');
  seats.wakeOne('t');
  first.leave();
  await second.wait(long, never);
  second.leave();
  expect([...seats.tenants()]).toEqual([]);
});
