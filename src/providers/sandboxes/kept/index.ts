import { randomBytes } from 'node:crypto';
import { lstatSync, readdirSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isDead, thisOwner } from '../../../kernel/processes/owner.ts';
import type { KeptSnapshot, Snapshot } from '../../../worker/sandbox.ts';
import { renamed } from '../renamed.ts';
import { hasNote, isAsNoted, readNote, writeNote } from './note.ts';
import type { Kind, KeptNote } from './note.ts';

/** A snapshot in a folder of its own. */
export interface Lying {
  readonly id: string;
  readonly place: string;
  readonly kind: Kind;
  /** Whose all is that is in it. */
  readonly uid: number;
  /** With its folder; safe to call twice. */
  remove(): Promise<void>;
  /** What it has of the host while it can be used is given back. */
  rest?(): Promise<void>;
  /** Of one that was found. */
  readonly isWhole?: (() => Promise<boolean>) | undefined;
}

/** Lets a snapshot outlive its worker. Until `keep` has ended it goes with its worker, like every other. */
export function lasting({ id, place, kind, uid, remove, rest, isWhole }: Lying): Snapshot {
  let keeping: Promise<void> | undefined;
  let isOver = false;
  const settled = async (): Promise<void> => {
    isOver = true;
    await keeping?.catch(() => {});
  };
  return {
    id,
    ...(isWhole === undefined ? {} : { isWhole }),
    async remove() {
      await settled();
      await remove();
    },
    async keep(text) {
      if (!isOver) await (keeping ??= writeNote(place, { kind, uid, text }));
    },
    async leave() {
      if (isOver) return;
      await settled();
      if (!hasNote(place)) return await remove();
      await rest?.();
      // Nobody's: of two workers that want it one is faster. The next one knows by it, too, which was left last.
      renameSync(place, join(dirname(place), `kept.${word()}`));
    },
  };
}

/** Whether what is in this folder is not to be removed with what else a dead worker has left. */
export function isKept(folder: string, name: string): boolean {
  return name.startsWith('snapshot.') && hasNote(join(folder, name));
}

interface Adoption {
  /** Where sandboxes live. */
  readonly folder: string;
  readonly kind: Kind;
  /** Removes the folder of one that can't be used, with what is mounted in it. */
  readonly discard: (place: string) => Promise<void>;
  /** Makes it ready to be used. Throws what stands in the way. */
  readonly show?: (place: string) => Promise<void>;
  readonly open: (found: Found) => Snapshot;
}

interface Found extends Pick<Lying, 'id' | 'place' | 'uid'> {
  readonly isWhole: () => Promise<boolean>;
}

/** What dead workers have kept is this worker's from now on, what was used last at the end; what is of another kind is removed. */
export async function adoptKept({ folder, kind, discard, open, show }: Adoption): Promise<readonly KeptSnapshot[]> {
  const found: KeptSnapshot[] = [];
  for (const name of leftIn(folder)) {
    const id = `snapshot.${word()}`;
    const place = join(folder, `${id}~${thisOwner()}`);
    if (!isTaken(join(folder, name), place)) continue;
    const note = readNote(place);
    if (note?.kind !== kind) await discard(place).catch(() => {});
    else found.push({ snapshot: open({ id, place, uid: note.uid, isWhole: lookOnce(place, note, show) }), text: note.text });
  }
  return found;
}

/** One that stands fast is no reason to do without the others; it stays for the next worker. */
function isTaken(from: string, to: string): boolean {
  try {
    return renamed(from, to);
  } catch {
    return false;
  }
}

/** Nobody waits for a look at what is not wanted. */
function lookOnce(place: string, note: KeptNote, show: Adoption['show']): () => Promise<boolean> {
  let whole: Promise<boolean> | undefined;
  async function look(): Promise<boolean> {
    if (!(await isAsNoted(place, note))) return false;
    await show?.(place);
    return true;
  }
  return () => (whole ??= look().catch(() => false));
}

function leftIn(folder: string): string[] {
  const isLeft = (name: string): boolean =>
    name.startsWith('kept.') || (isKept(folder, name) && isDead(name.split('~')[1] ?? ''));
  // Of a folder its new name is the last change, or its note.
  const leftMs = (name: string): number => lstatSync(join(folder, name), { throwIfNoEntry: false })?.ctimeMs ?? 0;
  return readdirSync(folder)
    .filter(isLeft)
    .sort((a, b) => leftMs(a) - leftMs(b));
}

function word(): string {
  return randomBytes(4).toString('hex');
}
