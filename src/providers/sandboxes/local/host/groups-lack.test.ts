import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { groupsLack } from './groups-lack.ts';

const top = mkdtempSync(join(tmpdir(), 'skep-lack-'));
afterAll(() => rmSync(top, { recursive: true }));

const v2 = join(top, 'v2');
mkdirSync(v2);
writeFileSync(join(v2, 'cgroup.controllers'), 'cpu pids\n');

describe.runIf(process.geteuid?.() === 0)('why root has no cgroups', () => {
  it.each([
    ['none are mounted', '', /no cgroups for memory, pids, cpu are mounted.*mount -t cgroup2 none/],
    ['one controller of version 1 is not', `cgroup ${v2} cgroup rw,memory,pids 0 0`, /for cpu are mounted.*-o cpu none/],
    ['those of version 1 can only be read', `cgroup /c cgroup ro,memory 0 0`, /at \/c can only be read.*remount,rw \/c/],
    ['those of version 2 can only be read', `cgroup2 ${v2} cgroup2 ro 0 0`, /can only be read/],
    ['there is no list of them', 'cgroup2 /proc cgroup2 rw 0 0', /the group at \/proc has not all of memory, pids, cpu/],
    ['a controller is not offered', `cgroup2 ${v2} cgroup2 rw 0 0`, /has not all of memory, pids, cpu.*Delegate=yes/],
  ])('%s', (_, mounts, said) => {
    const held = mounts.includes('memory,pids') ? { controllers: ['memory', 'pids'] as const } : undefined;
    const { why, mend } = groupsLack(held, mounts) ?? {};
    expect(`${why} ${mend}`).toMatch(said);
  });

  it('processes are where a group was to be made', () => {
    const mounts = `cgroup2 ${v2} cgroup2 rw 0 0`;
    const { why, mend } = groupsLack({ controllers: ['memory'] }, mounts) ?? {};
    expect(why).toBe(`${v2} hands pids, cpu down to no group, since processes are in it itself`);
    expect(mend).toContain(`for p in $(cat ${v2}/cgroup.procs)`);
  });
});

it('nothing is wrong where all controllers are there', () => {
  expect(groupsLack({ controllers: ['memory', 'pids', 'cpu'] }, '')).toBeUndefined();
});
