import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { systemClock } from '../../kernel/clock.ts';
import { silentLog } from '../../kernel/log.ts';
import { findTools, SYSTEM_PATH } from './local/host/tools.ts';
import type { UserIds } from './local/host/user-ids.ts';
import { reap } from './orphans.ts';
import type { Place } from './orphans.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'skep-orphans-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Files are this user's, and so is the id that is asked about. */
const uid = process.getuid?.() ?? 0;
const leaveIn = (home: string) => mkdirSync(join(home, 'left/slot/work'), { recursive: true });

/** What is answered to these questions, one after the other, whether an id must be kept. */
async function kept(...questions: readonly (readonly [home: string, uid: number, before?: () => void])[]): Promise<boolean[]> {
  const answers: boolean[] = [];
  const userIds: Pick<UserIds, 'reap'> = {
    async reap(_clear, isKept = () => false) {
      for (const [home, id, before] of questions) {
        before?.();
        answers.push(isKept(id, home));
      }
    },
  };
  const place = { folder: join(folder, 'own'), clock: systemClock, userIds, clear: () => Promise.resolve() };
  mkdirSync(place.folder, { recursive: true });
  await reap(place as unknown as Place, () => Promise.resolve('keep'), silentLog);
  return answers;
}

it('keeps an id whose files lie in the home that it was taken for, and no other', async () => {
  const [home, empty] = [join(folder, 'home'), join(folder, 'empty')];
  leaveIn(home);
  mkdirSync(empty);
  expect(await kept([home, uid], [home, uid + 1], [empty, uid])).toEqual([true, false, false]);
});

it('looks at a home for each id: whoever has left files may have been alive at the one before', async () => {
  const home = join(folder, 'home');
  mkdirSync(home);
  expect(await kept([home, uid], [home, uid, () => leaveIn(home)])).toEqual([false, true]);
});

it('frees an id whose home is gone, and none of a home that cannot be read', async () => {
  writeFileSync(join(folder, 'file'), '');
  const unreadable = join(folder, 'x'.repeat(300));
  expect(await kept([join(folder, 'gone'), uid], [join(folder, 'file/home'), uid], [unreadable, uid])).toEqual([
    false,
    false,
    true,
  ]);
});

/** Of a process that is no more. */
const owner = '4194304.1.1.dead';

/** The ids of which it was asked whether they are to stay, which they do; and the folders that are left. */
async function askedOf(
  ...ids: readonly string[]
): Promise<{ readonly asked: string[]; readonly left: string[]; readonly told: unknown[] }> {
  const own = join(folder, 'own');
  for (const id of ids) {
    mkdirSync(join(own, `${id}~${owner}`), { recursive: true });
    writeFileSync(join(own, `${id}~${owner}`, 'seccomp'), '');
  }
  const [asked, told]: [string[], unknown[]] = [[], []];
  const place = { folder: own, clock: systemClock, tools: findTools(SYSTEM_PATH), clear: () => Promise.resolve() };
  const adopt = () => Promise.reject(new Error('not asked for'));
  const settle = ({ id }: { readonly id: string }) => {
    asked.push(id);
    return Promise.resolve('keep' as const);
  };
  await reap({ ...place, userIds: undefined, adopt }, settle, { ...silentLog, warn: about => void told.push(about) });
  return { asked, told, left: readdirSync(own) };
}

it('removes what had no name yet, and asks of nothing else whether it is to stay', async () => {
  expect(await askedOf('_.12', 'named')).toEqual({ asked: ['named'], told: [], left: [`named~${owner}`] });
});

it('is not held up by one that cannot be taken over, and tells of it', async () => {
  // Its name as this worker's would be too long for any file system.
  const long = 'x'.repeat(255 - owner.length - 1);
  const { asked, told, left } = await askedOf(long, 'named');
  expect(asked).toEqual(['named']);
  expect(told).toEqual([{ name: `${long}~${owner}`, error: expect.stringContaining('ENAMETOOLONG') as string }]);
  expect(left).toHaveLength(2);
});

it('looks in its own home for an id that was taken before homes were written down', async () => {
  leaveIn(join(folder, 'own'));
  expect(await kept(['', uid])).toEqual([true]);
});
