import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { isDead, thisOwner } from '../../../../kernel/processes/owner.ts';
import { createUserIds } from './user-ids.ts';

const folder = mkdtempSync(join(tmpdir(), 'skep-user-ids-'));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const home = join(folder, 'home-of-sandboxes');
const base = 1_900_000_000;
const dead = thisOwner().replace(/^\d+\.\d+/, '1.1');

function leave(uid: number, owner: string, takenFor = ''): void {
  mkdirSync(join(folder, String(uid)), { recursive: true });
  writeFileSync(join(folder, String(uid), owner), takenFor);
}

it('knows a dead owner, and takes one that it cannot see for alive', () => {
  const [pid = '', start = '', namespace = '', boot = ''] = thisOwner().split('.');
  expect(isDead(thisOwner())).toBe(false);
  expect(isDead([pid, `${Number(start) + 1}`, namespace, boot].join('.'))).toBe(true);
  expect(isDead([pid, start, namespace, 'ffffffff'].join('.'))).toBe(true);
  expect(isDead(['1', '1', '4026539999', boot].join('.'))).toBe(false);
  expect(isDead('nonsense')).toBe(false);
});

it('gives each id once until it is released', () => {
  const ids = createUserIds({ folder, home, base });
  const twin = createUserIds({ folder, home, base });
  const taken = [ids.take(), twin.take(), ids.take()];
  expect(new Set(taken).size).toBe(3);
  ids.release(taken[1] ?? 0);
  expect(twin.take()).toBe(taken[1]);
  expect(readdirSync(folder).filter(name => name.startsWith('new-'))).toEqual([]);
});

it('gives no id that /etc/passwd names', () => {
  expect(createUserIds({ folder, home, base: 0 }).take()).not.toBe(0);
});

it('frees what the dead have left, after it was cleared, and nothing of the living', async () => {
  const ids = createUserIds({ folder, home, base });
  const mine = ids.take();
  leave(base + 7, dead);
  mkdirSync(join(folder, `new-${dead}-0a0b0c0d`));
  const cleared: number[] = [];
  await ids.reap(uid => {
    cleared.push(uid);
    return Promise.resolve();
  });
  expect(cleared).toEqual([base + 7]);
  expect(readdirSync(folder)).toEqual([String(mine)]);
});

it('lets one alone clear what a dead owner has left: the next could be a third, who has the id by then', async () => {
  leave(base, dead);
  const cleared: string[] = [];
  await createUserIds({ folder, home, base }).reap(async () => {
    cleared.push('one');
    await createUserIds({ folder, home, base }).reap(() => Promise.resolve(void cleared.push('another')));
  });
  expect(cleared).toEqual(['one']);
  expect(readdirSync(folder)).toEqual([]);
});

it('leaves an id of which files are kept as it was, after it was cleared', async () => {
  leave(base, dead);
  const cleared: number[] = [];
  await createUserIds({ folder, home, base }).reap(
    uid => Promise.resolve(void cleared.push(uid)),
    uid => uid === base,
  );
  expect([cleared, readdirSync(join(folder, String(base)))]).toEqual([[base], [dead]]);
});

it('says of a dead owner which home its id was taken for, whoever asks', async () => {
  const uid = createUserIds({ folder, home: '/homes/one', base }).take();
  renameSync(join(folder, String(uid), thisOwner()), join(folder, String(uid), dead));
  const asked: string[] = [];
  const another = createUserIds({ folder, home: '/homes/other', base });
  for (const isKept of [true, false])
    await another.reap(
      () => Promise.resolve(),
      (_uid, where) => asked.push(where) > 0 && isKept,
    );
  expect([asked, readdirSync(folder)]).toEqual([['/homes/one', '/homes/one'], []]);
});

it('refuses when all are taken', () => {
  for (let uid = base; uid < base + 9; uid++) leave(uid, thisOwner());
  expect(createUserIds({ folder, home, base, count: 10 }).take()).toBe(base + 9);
  expect(() => createUserIds({ folder, home, base, count: 10 }).take()).toThrow(
    expect.objectContaining({ code: 'sandbox_unavailable' }),
  );
});

it('names then the homes of the dead that still have some, a few of them', () => {
  const homes = Array.from({ length: 7 }, (_, i) => `/homes/${i}`);
  for (const [i, left] of [...homes, homes[0] ?? '', ''].entries()) leave(base + i, dead, left);
  leave(base + 9, thisOwner(), '/homes/alive');
  const hint = expect.stringMatching(/ in \/homes\/0, \/homes\/1, \/homes\/2, \/homes\/3, \/homes\/4 and 2 more: /) as string;
  expect(() => createUserIds({ folder, home, base, count: 10 }).take()).toThrow(expect.objectContaining({ hint }));
});
