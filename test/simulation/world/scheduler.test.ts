import { expect, test } from 'vitest';
import { beginning, createScheduler } from './scheduler.ts';

test('what is due happens in the order of time, and at one time in the order of calls', async () => {
  const scheduler = createScheduler();
  const seen: string[] = [];
  const say = (word: string) => () => void seen.push(`${scheduler.now() - beginning} ${word}`);
  for (const [ms, word] of [
    [30, 'c'],
    [10, 'a'],
    [30, 'd'],
    [20, 'b'],
    [99, 'late'],
  ] as const)
    scheduler.after(ms, say(word));
  await scheduler.run(beginning + 50);
  expect(seen).toEqual(['10 a', '20 b', '30 c', '30 d']);
  expect(scheduler.now()).toBe(beginning + 50);
});

test('all that follows from an event happens before the next, however long the chain of promises is', async () => {
  const scheduler = createScheduler();
  const seen: string[] = [];
  scheduler.after(1, () => {
    void (async () => {
      for (let i = 0; i < 50; i++) await Promise.resolve();
      seen.push('followed');
    })();
  });
  scheduler.after(1, () => void seen.push('next'));
  await scheduler.run(beginning + 2);
  expect(seen).toEqual(['followed', 'next']);
});

test('a sleep ends at its time, or when it is aborted', async () => {
  const scheduler = createScheduler();
  const nap = new AbortController();
  const seen: number[] = [];
  void scheduler.sleep(100).then(() => seen.push(scheduler.now() - beginning));
  void scheduler.sleep(1_000, nap.signal).then(() => seen.push(scheduler.now() - beginning));
  scheduler.after(40, () => nap.abort());
  await scheduler.run(beginning + 500);
  expect(seen).toEqual([40, 100]);
});

test('it can be stopped, and a world that never rests is an error', async () => {
  const scheduler = createScheduler();
  let count = 0;
  const again = (): void => {
    count += 1;
    if (count === 3) scheduler.stop();
    scheduler.after(0, again);
  };
  scheduler.after(0, again);
  await scheduler.run(beginning + 1);
  expect(count).toBe(3);
  await expect(scheduler.run(beginning + 1, 100)).rejects.toThrow('does not come to rest');
});

test('what an event throws ends the run', async () => {
  const scheduler = createScheduler();
  scheduler.after(1, () => {
    throw new Error('out of the blue');
  });
  await expect(scheduler.run(beginning + 5)).rejects.toThrow('out of the blue');
});
