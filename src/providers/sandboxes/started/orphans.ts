import { lstatSync, readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { Fault } from '../../../kernel/fault.ts';
import { isDead } from '../../../kernel/process-owner.ts';
import type { Settle } from '../../../worker/sandbox.ts';
import { removeFolder } from '../local/folder.ts';
import { adoptSandbox, filterOf, takenName } from './home.ts';
import type { Home } from './home.ts';

/** Removes what dead workers have left, except workspaces of which `settle` says that they are to stay. What ran in them is dead by now. */
export async function reap(home: Home, settle: Settle): Promise<number> {
  const names = orphansIn(home);
  const kept = new Set(names.map(name => uidOf(join(home.folder, name))));
  await home.userIds?.reap(
    uid => home.clear(uid),
    uid => kept.has(uid),
  );
  let count = 0;
  for (const name of names) if (await take(home, name, settle)) count += 1;
  return count;
}

/** Folders of dead workers, the one that was made last first. */
function orphansIn({ folder }: Home): string[] {
  const madeMs = (name: string): number => filterOf(join(folder, name))?.mtimeMs ?? 0;
  return readdirSync(folder)
    .filter(name => isDead(name.split('~')[1] ?? ''))
    .sort((a, b) => madeMs(b) - madeMs(a));
}

/** Returns whether it was removed, by this worker. */
async function take(home: Home, name: string, settle: Settle): Promise<boolean> {
  // A worker that died while it did the same has left a word behind the first point.
  const id = name.split(/[.~]/)[0] ?? '';
  const path = join(home.folder, takenName(id));
  // Taking it over by name: of two workers that clean up at once, one gets it; should that one die, it is again a dead one's.
  if (!renamed(join(home.folder, name), path)) return false;
  const uid = uidOf(path);
  const giveBack = uid === undefined ? undefined : await adopted(home, uid);
  const isOurs = home.userIds === undefined || giveBack !== undefined;
  if (uid !== undefined && giveBack !== undefined) await home.clear(uid);
  const wish = filterOf(path) === undefined ? 'remove' : await ask(settle, { home, id, path, uid, isOurs });
  if (uid !== undefined && giveBack !== undefined) await home.clear(uid);
  if (wish === 'keep') {
    giveBack?.();
    renamed(path, join(home.folder, name));
    return false;
  }
  await removeFolder(path, home.tools);
  if (uid !== undefined && giveBack !== undefined) home.userIds?.release(uid);
  return true;
}

/** A worker of another home may be clearing what runs as this id: that takes it 2 s at most. */
const adoptMsMax = 3_000;
const adoptAgainMs = 50;

async function adopted({ userIds, clock }: Home, uid: number): Promise<(() => void) | undefined> {
  for (const until = clock.mono() + adoptMsMax; ; await clock.sleep(adoptAgainMs)) {
    const giveBack = userIds?.adopt(uid);
    if (giveBack !== undefined || userIds === undefined || clock.mono() >= until) return giveBack;
  }
}

interface Taken {
  readonly home: Home;
  readonly id: string;
  readonly path: string;
  readonly uid: number | undefined;
  /** Whether nobody else has its user id. */
  readonly isOurs: boolean;
}

async function ask(settle: Settle, { home, id, path, uid, isOurs }: Taken): Promise<'remove' | 'keep'> {
  try {
    return await settle({
      id,
      ageMs: Math.max(0, home.clock.now() - (filterOf(path)?.mtimeMs ?? 0)),
      open(limits) {
        if (isOurs) return adoptSandbox(home, { id, path, uid: home.userIds === undefined ? undefined : uid, limits });
        const message = `somebody else has the user id ${uid ?? '?'} of the sandbox ${id} now`;
        return Promise.reject(new Fault('sandbox_unavailable', { message }));
      },
    });
  } catch {
    // Whoever could not say what is to become of it has not looked at it.
    return 'keep';
  }
}

function uidOf(path: string): number | undefined {
  return lstatSync(join(path, 'slot', 'work'), { throwIfNoEntry: false })?.uid;
}

/** False where another was faster. */
function renamed(from: string, to: string): boolean {
  try {
    renameSync(from, to);
    return true;
  } catch {
    return false;
  }
}
