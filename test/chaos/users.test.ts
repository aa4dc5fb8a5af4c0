import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { thisOwner } from '../../src/kernel/processes/owner.ts';
import { leftGroups, leftUserIds } from './users.ts';

let folder: string;
let places: { readonly ids: string; readonly groups: string };

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'skep-users-'));
  places = { ids: join(folder, 'ids'), groups: join(folder, 'groups') };
});
afterEach(() => rmSync(folder, { recursive: true }));

function taken(uid: number, { by, home }: { readonly by: string; readonly home: string }): void {
  mkdirSync(join(places.ids, String(uid)), { recursive: true });
  writeFileSync(join(places.ids, String(uid), by), join(home, 'sandboxes'));
}

const dead = '1.1.1.another';

it.each(['skep', 'unified/skep', 'memory/skep', 'pids/skep', 'cpu/skep'])(
  'tells a group in %s whose id nobody has, and none of an id that is taken',
  parent => {
    taken(1001, { by: thisOwner(), home: folder });
    for (const name of ['1001', '1002', 'trial-7']) mkdirSync(join(places.groups, parent, name), { recursive: true });
    expect(leftGroups(places)).toEqual([`cgroup ${join(places.groups, parent, '1002')}`]);
  },
);

it('tells an id of a dead worker of these homes, and none of another home or of one that lives', () => {
  taken(1001, { by: dead, home: '/here' });
  taken(1002, { by: dead, home: '/hereafter' });
  taken(1003, { by: thisOwner(), home: '/here' });
  expect(leftUserIds(['/here', '/there'], places)).toEqual(['user id 1001 of /here/sandboxes']);
});

it('tells nothing where there is nothing', () => {
  expect([leftGroups(places), leftUserIds(['/here'], places)]).toEqual([[], []]);
});
