import { randomBytes } from 'node:crypto';
import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Log } from '../../kernel/log.ts';
import type { Clock } from '../../kernel/clock.ts';
import { Fault } from '../../kernel/fault.ts';
import { isDead, thisOwner } from '../../kernel/processes/owner.ts';
import type { Sandbox, SandboxLimits, Settle } from '../../worker/sandbox.ts';
import { isKept } from './kept/index.ts';
import { removeFolder } from './local/folder.ts';
import type { Tools } from './local/host/tools.ts';
import type { UserIds } from './local/host/user-ids.ts';
import { renamed } from './renamed.ts';

/** Where the sandboxes of one provider lie, and how it ends and opens what a dead worker has left there. */
export interface Place {
  readonly folder: string;
  readonly clock: Clock;
  readonly tools: Tools;
  /** Present when the worker is root; then each sandbox runs as an id of its own. */
  readonly userIds: UserIds | undefined;
  /** Ends what still runs of the sandbox whose folder has this name. */
  end?(name: string): void;
  /** Ends what still runs as this id, and what belongs to it beside files. */
  clear(uid: number): Promise<void>;
  adopt(left: Left): Promise<Sandbox>;
}

/** A workspace that was taken over. */
export interface Left {
  readonly id: string;
  /** Its folder, named as this worker's. */
  readonly path: string;
  readonly uid: number | undefined;
  readonly limits: SandboxLimits;
}

/** Removes what dead workers have left, except workspaces of which `settle` says that they are to stay. One that cannot be taken over or removed holds up no other. */
export async function reap(place: Place, settle: Settle, log: Log): Promise<number> {
  // A version before wrote down no home.
  await place.userIds?.reap(
    uid => place.clear(uid),
    (uid, home) => holds(home || place.folder, uid),
  );
  let count = 0;
  for (const name of orphansIn(place)) {
    try {
      if (await take(place, name, settle)) count += 1;
    } catch (error) {
      log.warn({ name, error: String(error) }, 'what a dead worker has left could not be settled; it is tried again');
    }
  }
  return count;
}

/**
 * Workers of other homes share the ids: one of them that comes before the heir of a home must not give away what the heir needs to open
 * what lies there. It is looked at for each id: whoever has that one is dead by now, and may have been alive at the one before.
 */
function holds(home: string, uid: number): boolean {
  try {
    return readdirSync(home).some(name => uidOf(join(home, name)) === uid);
  } catch (error) {
    // What was in a home that is gone, is gone; one that can't be read may hold it.
    const { code } = error as NodeJS.ErrnoException;
    return code !== 'ENOENT' && code !== 'ENOTDIR';
  }
}

/** Folders of dead workers, the one that was made last first. */
function orphansIn({ folder }: Place): string[] {
  const madeMs = (name: string): number => filterOf(join(folder, name))?.mtimeMs ?? 0;
  return readdirSync(folder)
    .filter(name => isDead(name.split('~')[1] ?? '') && !isKept(folder, name))
    .sort((a, b) => madeMs(b) - madeMs(a));
}

/** Returns whether it was removed, by this worker. */
async function take(place: Place, name: string, settle: Settle): Promise<boolean> {
  // A worker that died while it did the same has left a word behind the first point.
  const id = name.split(/[.~]/)[0] ?? '';
  const path = join(place.folder, `${id}.${randomBytes(4).toString('hex')}~${thisOwner()}`);
  place.end?.(name);
  // Taking it over by name: of two workers that clean up at once, one gets it; should that one die, it is again a dead one's.
  if (!renamed(join(place.folder, name), path)) return false;
  const uid = uidOf(path);
  const giveBack = uid === undefined ? undefined : await adopted(place, uid);
  const isOurs = place.userIds === undefined || giveBack !== undefined;
  if (uid !== undefined && giveBack !== undefined) await place.clear(uid);
  const wish = filterOf(path) === undefined || id === draftId ? 'remove' : await ask(settle, { place, id, path, uid, isOurs });
  if (uid !== undefined && giveBack !== undefined) await place.clear(uid);
  if (wish === 'keep') {
    giveBack?.();
    renamed(path, join(place.folder, name));
    return false;
  }
  await removeFolder(path, place.tools);
  if (uid !== undefined && giveBack !== undefined) place.userIds?.release(uid);
  return true;
}

/** What had no name yet was nobody's. */
const draftId = '_';

/** A worker of another place may be clearing what runs as this id: that takes it 2 s at most. */
const adoptMsMax = 3_000;
const adoptAgainMs = 50;

async function adopted({ userIds, clock }: Place, uid: number): Promise<(() => void) | undefined> {
  for (const until = clock.mono() + adoptMsMax; ; await clock.sleep(adoptAgainMs)) {
    const giveBack = userIds?.adopt(uid);
    if (giveBack !== undefined || userIds === undefined || clock.mono() >= until) return giveBack;
  }
}

interface Taken {
  readonly place: Place;
  readonly id: string;
  readonly path: string;
  readonly uid: number | undefined;
  /** Whether nobody else has its user id. */
  readonly isOurs: boolean;
}

async function ask(settle: Settle, { place, id, path, uid, isOurs }: Taken): Promise<'remove' | 'keep'> {
  try {
    return await settle({
      id,
      ageMs: Math.max(0, place.clock.now() - (filterOf(path)?.mtimeMs ?? 0)),
      open(limits) {
        if (isOurs) return place.adopt({ id, path, uid: place.userIds === undefined ? undefined : uid, limits });
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

/** Written last when the folder is made, and never again: without it nothing was ever run there. */
function filterOf(path: string): { readonly mtimeMs: number } | undefined {
  return lstatSync(join(path, 'seccomp'), { throwIfNoEntry: false });
}
