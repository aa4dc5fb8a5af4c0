import { randomBytes } from 'node:crypto';
import { lstatSync, readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../../kernel/clock.ts';
import { Fault } from '../../../kernel/fault.ts';
import { isDead } from '../../../kernel/process-owner.ts';
import type { Settle } from '../../../worker/sandbox.ts';
import { adoptSandbox } from './adopt.ts';
import { removeFolder } from './folder.ts';
import { killMarked, killUser } from './host/owner.ts';
import { folderName, marker } from './sandbox.ts';
import type { Host } from './sandbox.ts';

/** Removes what dead workers have left, except workspaces of which `settle` says that they are to stay. */
export async function reap(host: Host, settle: Settle): Promise<number> {
  const names = orphansIn(host);
  const kept = new Set(names.map(name => uidOf(join(host.folder, name))));
  await host.userIds?.reap(
    uid => clear(host, uid),
    uid => kept.has(uid),
  );
  host.disks?.reap();
  let count = 0;
  for (const name of names) if (await take(host, name, settle)) count += 1;
  return count;
}

/** Folders of dead workers, the one that was made last first. */
function orphansIn({ folder }: Host): string[] {
  return readdirSync(folder)
    .filter(name => isDead(name.split('~')[1] ?? ''))
    .sort((a, b) => madeMs(join(folder, b)) - madeMs(join(folder, a)));
}

/** Returns whether it was removed, by this worker. */
async function take(host: Host, name: string, settle: Settle): Promise<boolean> {
  const { folder, tools, userIds } = host;
  // A worker that died while it did the same has left a word behind the first point.
  const id = name.split(/[.~]/)[0] ?? '';
  const path = join(folder, folderName(`${id}.${randomBytes(4).toString('hex')}`));
  killMarked(marker(name));
  // Taking it over by name: of two workers that clean up at once, one gets it; should that one die, it is again a dead one's.
  if (!renamed(join(folder, name), path)) return false;

  const uid = uidOf(path);
  const giveBack = uid === undefined ? undefined : await adopted(host, uid);
  if (uid !== undefined && giveBack !== undefined) await clear(host, uid);
  const isOurs = userIds === undefined || giveBack !== undefined;
  const wish = isWhole(path) ? await ask(settle, { host, id, path, uid, isOurs }) : 'remove';
  if (uid !== undefined && giveBack !== undefined) await clear(host, uid);
  if (wish === 'keep') {
    giveBack?.();
    renamed(path, join(folder, name));
    return false;
  }
  await removeFolder(path, tools);
  if (uid !== undefined && giveBack !== undefined) userIds?.release(uid);
  return true;
}

/** A worker of another home may be clearing what runs as this id: that takes it 2 s at most. */
const adoptMsMax = 3_000;
const adoptAgainMs = 50;

async function adopted({ userIds, clock }: Host, uid: number): Promise<(() => void) | undefined> {
  for (const until = clock.mono() + adoptMsMax; ; await clock.sleep(adoptAgainMs)) {
    const giveBack = userIds?.adopt(uid);
    if (giveBack !== undefined || userIds === undefined || clock.mono() >= until) return giveBack;
  }
}

interface Taken {
  readonly host: Host;
  readonly id: string;
  readonly path: string;
  readonly uid: number | undefined;
  /** Whether nobody else has its user id. */
  readonly isOurs: boolean;
}

async function ask(settle: Settle, { host, id, path, uid, isOurs }: Taken): Promise<'remove' | 'keep'> {
  try {
    return await settle({
      id,
      ageMs: ageMs(path, host.clock),
      open(limits) {
        if (isOurs) return adoptSandbox(host, { id, path, uid: host.userIds === undefined ? undefined : uid, limits });
        throw new Fault('sandbox_unavailable', {
          message: `somebody else has the user id ${uid ?? '?'} of the sandbox ${id} now`,
        });
      },
    });
  } catch {
    // Whoever could not say what is to become of it has not looked at it.
    return 'keep';
  }
}

async function clear({ cgroups }: Host, uid: number): Promise<void> {
  const group = cgroups?.open(String(uid));
  group?.kill();
  killUser(uid);
  await group?.remove();
}

/** Written last when the folder is made: without it nothing was ever run there. */
function isWhole(path: string): boolean {
  return lstatSync(join(path, 'seccomp'), { throwIfNoEntry: false }) !== undefined;
}

/** The filter is written when the folder is made and never again. */
function madeMs(path: string): number {
  return lstatSync(join(path, 'seccomp'), { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

function ageMs(path: string, clock: Clock): number {
  return Math.max(0, clock.now() - madeMs(path));
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
