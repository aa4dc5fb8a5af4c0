import { expect, test } from 'vitest';
import { watchOomKills } from './oom.ts';

function group(): { kills: number; looks: number; oomKills(): number } {
  return {
    kills: 0,
    looks: 0,
    oomKills() {
      this.looks += 1;
      return this.kills;
    },
  };
}

test('a kill while a command runs is told to it, and not to the next', () => {
  const cgroup = group();
  const { watch } = watchOomKills(cgroup);
  const first = watch();
  cgroup.kills = 1;
  expect(first()).toBe(true);
  expect(watch()()).toBe(false);
});

test('a command that begins beside another is not told of a kill that was before it', () => {
  const cgroup = group();
  const { watch } = watchOomKills(cgroup);
  const first = watch();
  cgroup.kills = 1;
  const second = watch();
  expect([first(), second()]).toEqual([true, false]);
});

test('a kill between two commands, as of a process that waits for the next, is told to neither', () => {
  const cgroup = group();
  const { watch } = watchOomKills(cgroup, 0);
  expect(watch()()).toBe(false);
  cgroup.kills = 1;
  expect(watch()()).toBe(false);
});

test('what is known to have been killed before is asked of nobody, and counts for nothing', () => {
  const cgroup = group();
  cgroup.kills = 3;
  const end = watchOomKills(cgroup, 3).watch();
  expect(cgroup.looks).toBe(0);
  expect(end()).toBe(false);
});

test('without a group nothing is ever told', () => {
  expect(watchOomKills(undefined).watch()()).toBe(false);
});
