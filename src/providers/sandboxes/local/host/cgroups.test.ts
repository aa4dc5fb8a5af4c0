import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { systemClock } from '../../../../kernel/clock.ts';
import { findCgroups, parseMounts } from './cgroups.ts';

/** Folders in the place of the kernel's: what is written can be read, what the kernel does of it cannot be seen. */
const top = mkdtempSync(join(tmpdir(), 'skep-cgroups-'));
afterAll(() => rmSync(top, { recursive: true }));

const limits = { memoryBytes: 2 ** 28, processCount: 64, cpuCount: 1.5, tmpBytes: 1, workspaceBytes: 64 * 2 ** 20 };
const place = (name: string) => {
  mkdirSync(join(top, name), { recursive: true });
  return join(top, name);
};
const read = (path: string) => readFileSync(join(top, path), 'utf8');

it('finds the controllers of both versions', () => {
  const mounts = [
    'cgroup /c/cpu,cpuacct cgroup rw,relatime,cpu,cpuacct 0 0',
    'cgroup /c/memory cgroup rw,relatime,memory 0 0',
    'cgroup /c/systemd cgroup rw,name=systemd 0 0',
    'cgroup2 /c/unified cgroup2 rw,relatime 0 0',
  ].join('\n');
  const { v1, v2 } = parseMounts(mounts);
  expect([...v1]).toEqual([
    ['cpu', '/c/cpu,cpuacct'],
    ['memory', '/c/memory'],
  ]);
  expect(v2).toBe('/c/unified');
});

it('sets the limits of version 1, also with a version 2 beside it that can kill no group', async () => {
  const mounts = ['memory', 'pids', 'cpu'].map(name => `cgroup ${place(`v1/${name}`)} cgroup rw,${name} 0 0`);
  const groups = findCgroups(systemClock, [...mounts, `cgroup2 ${place('v1/unified')} cgroup2 rw 0 0`].join('\n'));
  const group = groups?.create('7', limits);
  expect(groups).toMatchObject({ kind: 'v1', controllers: ['memory', 'pids', 'cpu'] });
  expect(read('v1/memory/skep/7/memory.limit_in_bytes')).toBe(String(2 ** 28));
  expect(read('v1/pids/skep/7/pids.max')).toBe('67');
  expect(read('v1/cpu/skep/7/cpu.cfs_quota_us')).toBe('150000');
  expect(group?.joins).toEqual(['memory', 'pids', 'cpu'].map(name => join(top, `v1/${name}/skep/7/tasks`)));
  writeFileSync(join(top, 'v1/memory/skep/7/memory.oom_control'), 'oom_kill_disable 0\nunder_oom 0\noom_kill 3\n');
  expect(group?.oomKills()).toBe(3);
  for (const name of ['memory', 'pids', 'cpu']) rmSync(join(top, `v1/${name}/skep/7`), { recursive: true });
  await group?.remove();
});

it('sets the limits of version 1 and kills by version 2 where both are there', () => {
  const unified = place('both/unified');
  mkdirSync(join(unified, 'skep/7'), { recursive: true });
  writeFileSync(join(unified, 'skep/cgroup.kill'), '');
  const mounts = [`cgroup ${place('both/memory')} cgroup rw,memory 0 0`, `cgroup2 ${unified} cgroup2 rw 0 0`];
  const groups = findCgroups(systemClock, mounts.join('\n'));
  const group = groups?.create('7', limits);
  expect(groups).toMatchObject({ kind: 'hybrid', controllers: ['memory'] });
  expect(read('both/memory/skep/7/memory.limit_in_bytes')).toBe(String(2 ** 28));
  expect(group?.joins).toEqual([join(top, 'both/memory/skep/7/tasks'), join(unified, 'skep/7/cgroup.procs')]);
  group?.kill();
  expect(read('both/unified/skep/7/cgroup.kill')).toBe('1');
});

it('asks the kernel for no more than it has a number for', () => {
  const mounts = ['pids', 'cpu'].map(name => `cgroup ${place(`vast/${name}`)} cgroup rw,${name} 0 0`);
  findCgroups(systemClock, mounts.join('\n'))?.create('7', { ...limits, processCount: 2 ** 52, cpuCount: 2 ** 52 });
  expect(read('vast/pids/skep/7/pids.max')).toBe('4194304');
  expect(read('vast/cpu/skep/7/cpu.cfs_quota_us')).toBe('1000000000');
});

it('sets the limits of version 2 where the kernel hands the controllers down', () => {
  const mount = place('v2');
  mkdirSync(join(mount, 'skep/7'), { recursive: true });
  writeFileSync(join(mount, 'skep/cgroup.controllers'), 'cpu memory pids\n');
  writeFileSync(join(mount, 'skep/7/memory.swap.max'), 'max');
  const groups = findCgroups(systemClock, `cgroup2 ${mount} cgroup2 rw 0 0`);
  const group = groups?.create('7', limits);
  expect(groups).toMatchObject({ kind: 'v2', controllers: ['memory', 'pids', 'cpu'] });
  expect(read('v2/skep/7/memory.max')).toBe(String(2 ** 28));
  expect(read('v2/skep/7/memory.swap.max')).toBe('0');
  expect(read('v2/skep/7/pids.max')).toBe('67');
  expect(read('v2/skep/7/cpu.max')).toBe('150000 100000');
  expect(group?.joins).toEqual([join(mount, 'skep/7/cgroup.procs')]);
  group?.kill();
  expect(read('v2/skep/7/cgroup.kill')).toBe('1');
  writeFileSync(join(mount, 'skep/7/memory.events'), 'low 0\noom 4\noom_kill 2\n');
  expect(group?.oomKills()).toBe(2);
});

it('finds nothing where nothing can be made', () => {
  expect(findCgroups(systemClock, 'cgroup2 /proc cgroup2 rw 0 0\ncgroup /proc cgroup rw,memory 0 0')).toBeUndefined();
  expect(existsSync('/proc/skep')).toBe(false);
});
