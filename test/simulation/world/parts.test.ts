import { expect, test } from 'vitest';
import { createDice } from './dice.ts';
import { createProcess } from './process.ts';
import { beginning, createScheduler } from './scheduler.ts';
import { createTrace } from './trace.ts';

test('dice are the same for the same seed and part, and fair enough', () => {
  const dice = createDice(7);
  dice.next();
  const some = (of: string) => Array.from({ length: 5 }, () => dice.of(of).next());
  expect(new Set(some('a')).size).toBe(1);
  expect(some('a')[0]).not.toBe(some('b')[0]);
  expect(createDice(7).of('a').next()).toBe(some('a')[0]);
  expect(createDice(8).of('a').next()).not.toBe(some('a')[0]);
  const thrown = Array.from({ length: 6_000 }, () => dice.between(1, 6));
  for (let eyes = 1; eyes <= 6; eyes++) expect(Math.abs(thrown.filter(each => each === eyes).length - 1_000)).toBeLessThan(150);
});

test('a stopped process goes on later, in order, with its time gone by; a dead one never does', async () => {
  const scheduler = createScheduler();
  const process = createProcess(scheduler, 5_000);
  const seen: string[] = [];
  const say = (word: string) => seen.push(`${scheduler.now() - beginning} ${word}`);
  void process.clock.sleep(10).then(() => say('slept'));
  process.after(20, () => say('second'));
  scheduler.after(5, () => process.stopFor(100));
  process.after(200, () => say('third'));
  scheduler.after(300, () => process.kill());
  process.after(301, () => say('never'));
  void process.clock.sleep(400).then(() => say('never'));
  await scheduler.run(beginning + 1_000);
  expect(seen).toEqual(['105 slept', '105 second', '200 third']);
  expect(process.clock.now() - process.clock.mono()).toBe(5_000);
});

test('a trace tells ids by their order, and its hash tells any difference', () => {
  const scheduler = createScheduler();
  const [one, two, other] = [createTrace(scheduler), createTrace(scheduler), createTrace(scheduler)];
  one.say('w', `took ${one.name('aaaa')} ${one.name('bbbb')} ${one.name('aaaa')}`);
  two.say('w', `took ${two.name('cccc')} ${two.name('dddd')} ${two.name('cccc')}`);
  other.say('w', `took ${other.name('cccc')} ${other.name('dddd')} ${other.name('dddd')}`);
  expect(one.lines()).toEqual(['0 w took #1 #2 #1']);
  expect(two.hash()).toBe(one.hash());
  expect(other.hash()).not.toBe(one.hash());
});
