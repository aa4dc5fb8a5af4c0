import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmdirSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Fault } from '../../../../kernel/fault.ts';
import { isDead, thisOwner } from '../../../../kernel/processes/owner.ts';

/** Hands out user ids of this machine, each to one sandbox at a time, over all workers that run as root. */
export interface UserIds {
  /** Throws Fault `sandbox_unavailable` when all are taken. */
  take(): number;
  release(uid: number): void;
  /** For each id of a dead worker: `clear` first, then free, unless files of it are still kept in the home that it was taken for. */
  reap(clear: (uid: number) => Promise<void>, isKept?: (uid: number, home: string) => boolean): Promise<void>;
  /**
   * Takes an id over whose files a dead worker has left; what it answers gives it back, to be taken over again. Undefined where
   * somebody alive has it, or where it is none of this range.
   */
  adopt(uid: number): (() => void) | undefined;
}

/** Where all workers of this machine that run as root note which are taken. */
export const userIdsFolder = '/run/skep/sandbox-uids';

const COUNT = 4096;

/**
 * First id of the range. The first choice lies above every range that useradd, systemd and container tools hand out; the
 * others are for root inside a container, which has fewer ids.
 */
const BASES = [1_900_000_000, 200_000, 50_000];

interface Place {
  /** Shared by all workers of this machine. */
  readonly folder: string;
  /** Where the sandboxes of this worker lie. */
  readonly home: string;
  readonly base?: number;
  readonly count?: number;
}

/**
 * A taken id is a folder that holds a file of the owner's name, in which stands the home that it was taken for. It comes into being by renaming a filled folder onto it, which
 * succeeds only where there is none or an empty one; freeing removes the owner by its exact name and then the folder,
 * which fails when a new owner has come. So no two processes can hold one id, and no lock is needed to clean up.
 */
export function createUserIds({ folder, home, base = firstId(), count = COUNT }: Place): UserIds {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const owner = thisOwner();
  const named = new Set(idsIn('/etc/passwd', 2));

  function free(uid: number, holder: string): void {
    quietly(() => unlinkSync(join(folder, String(uid), holder)));
    quietly(() => rmdirSync(join(folder, String(uid))));
  }

  function claim(uid: number): boolean {
    const filled = join(folder, `new-${owner}-${randomBytes(4).toString('hex')}`);
    mkdirSync(filled, { mode: 0o700 });
    writeFileSync(join(filled, owner), home);
    if (quietly(() => renameSync(filled, join(folder, String(uid))))) return true;
    rmSync(filled, { recursive: true, force: true });
    return false;
  }

  /** Of those who try at once, one succeeds. */
  function handedOver(uid: number, from: string, to: string): boolean {
    return quietly(() => renameSync(join(folder, String(uid), from), join(folder, String(uid), to)));
  }

  return {
    take() {
      const taken = new Set(quietRead(folder).map(Number));
      for (let uid = base; uid < base + count; uid++) if (!taken.has(uid) && !named.has(uid) && claim(uid)) return uid;
      throw new Fault('sandbox_unavailable', {
        message: `all ${count} user ids for sandboxes are taken`,
        hint: hintOf(homesOfDead(folder)),
      });
    },
    release: uid => free(uid, owner),
    adopt(uid) {
      if (uid < base || uid >= base + count || named.has(uid)) return undefined;
      const from = quietRead(join(folder, String(uid))).find(isDead);
      const taken = from === undefined ? claim(uid) : handedOver(uid, from, owner);
      if (!taken) return undefined;
      return () => (from === undefined ? free(uid, owner) : void handedOver(uid, owner, from));
    },
    async reap(clear, isKept = () => false) {
      for (const name of quietRead(folder)) {
        if (!/^\d+$/.test(name)) {
          if (isDead(name.split('-')[1] ?? '')) rmSync(join(folder, name), { recursive: true, force: true });
          continue;
        }
        const uid = Number(name);
        for (const holder of quietRead(join(folder, name)).filter(isDead)) {
          // Taken over first: of two that clear at once, the slower would clear what is a third's by then.
          if (!handedOver(uid, holder, owner)) continue;
          await clear(uid);
          if (isKept(uid, quietText(join(folder, name, owner)))) handedOver(uid, owner, holder);
          else free(uid, owner);
        }
      }
    },
  };
}

/** The homes of dead workers that still have ids. */
function homesOfDead(folder: string): string[] {
  const homes = quietRead(folder)
    .filter(name => /^\d+$/.test(name))
    .flatMap(name =>
      quietRead(join(folder, name))
        .filter(isDead)
        .map(holder => quietText(join(folder, name, holder))),
    );
  return [...new Set(homes)].filter(home => home !== '').sort();
}

const homesNamedMax = 5;

/** To a home whose worker is dead perhaps nobody comes any more, and its ids are kept for what lies there. */
function hintOf(homes: readonly string[]): string {
  if (homes.length === 0) return 'let some of the sandboxes on this machine end, or start fewer';
  const more = homes.length > homesNamedMax ? ` and ${homes.length - homesNamedMax} more` : '';
  return `dead workers have left sandboxes in ${homes.slice(0, homesNamedMax).join(', ')}${more}: start the worker that each belongs to, which settles them, or remove it and start any worker`;
}

/** Throws Fault `sandbox_unavailable` where this root has no other ids: in a user namespace that maps root alone. */
function firstId(): number {
  const map = readFileSync('/proc/self/uid_map', 'utf8').trim().split('\n');
  const ranges = map.map(line => line.trim().split(/\s+/).map(Number)).map(([from = 0, , count = 0]) => ({ from, count }));
  const base = BASES.find(id => ranges.some(({ from, count }) => id >= from && id + COUNT <= from + count));
  if (base !== undefined) return base;
  throw new Fault('sandbox_unavailable', {
    message: 'root of this user namespace has no other user id to run a sandbox as',
    hint: 'run the worker as an ordinary user, or give the container a range of 65536 user ids',
  });
}

function idsIn(file: string, field: number): number[] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .map(line => Number(line.split(':')[field]));
}

function quietRead(folder: string): string[] {
  let names: string[] = [];
  quietly(() => {
    names = readdirSync(folder);
  });
  return names;
}

function quietText(file: string): string {
  let text = '';
  quietly(() => {
    text = readFileSync(file, 'utf8');
  });
  return text;
}

/** False when it failed: another process was faster, which is why it was tried in this way. */
function quietly(act: () => void): boolean {
  try {
    act();
    return true;
  } catch {
    return false;
  }
}
