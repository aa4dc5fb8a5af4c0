import { randomBytes } from 'node:crypto';
import { chmodSync, closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault } from '../../kernel/fault.ts';
import { thisOwner } from '../../kernel/processes/owner.ts';
import type { KeptSnapshot, Sandbox, SandboxSpec, Snapshot } from '../../worker/sandbox.ts';
import { adoptKept, lasting } from './kept/index.ts';
import type { Lying } from './kept/index.ts';
import { diskFault } from './local/host/tools.ts';

export type Create = (spec: SandboxSpec) => Promise<Sandbox>;

const shownAt = '/skep/snapshot';
const archiveName = 'work.tar';
const unpackMsMax = 120_000;

/** Snapshots that are files, which a program inside a sandbox writes and one inside the next reads. */
export interface Archives {
  take(sandbox: Sandbox): Promise<Snapshot>;
  /** Throws Fault `invalid_request` for a snapshot that is none of these. */
  unpacked(create: Create, spec: SandboxSpec, from: readonly Snapshot[]): Promise<Sandbox>;
  /** What earlier workers have kept. */
  kept(): Promise<readonly KeptSnapshot[]>;
}

/** `folder` is where sandboxes live: what a dead worker has left there is removed with them. */
export function createArchives(folder: string): Archives {
  const archives = new WeakMap<Snapshot, Archive>();

  async function take({ id, files, limits }: Sandbox): Promise<Snapshot> {
    const name = snapshotName(folder);
    const shown = join(name.place, 'shown');
    mkdirSync(name.place, { mode: 0o700 });
    try {
      // The user of the next sandbox reads it, and may not be the worker's; nobody else gets through the folder above.
      mkdirSync(shown);
      chmodSync(shown, 0o755);
      const fd = openSync(join(shown, archiveName), 'wx', 0o644);
      try {
        const bytesMax = Math.min(limits.workspaceBytes * 2, Number.MAX_SAFE_INTEGER);
        await files.export({ bytesMax, onChunk: chunk => writeAll(fd, chunk) });
      } finally {
        closeSync(fd);
      }
      chmodSync(join(shown, archiveName), 0o644);
    } catch (error) {
      await name.remove();
      throw diskFault(error);
    }
    return open({ id: `${id}-${name.word}`, place: name.place, uid: process.geteuid?.() ?? 0 });
  }

  function open(lying: Omit<Lying, 'kind' | 'remove'>): Snapshot {
    const { place } = lying;
    const archive: Archive = { shown: join(place, 'shown'), users: 0, isThere: true, remove: () => discard(place) };
    const snapshot = lasting({ ...lying, kind: 'archive', remove: () => dropArchive(archive) });
    archives.set(snapshot, archive);
    return snapshot;
  }

  async function unpacked(create: Create, spec: SandboxSpec, snapshots: readonly Snapshot[]): Promise<Sandbox> {
    const from = snapshots.map(known);
    for (const archive of from) archive.users += 1;
    try {
      const shown = from.map((archive, i) => ({ from: archive.shown, to: `${shownAt}/${i}` }));
      const sandbox = await create({ ...spec, folders: [...spec.folders, ...shown] });
      for (const { to } of shown) await unpack(sandbox, to);
      let left: Promise<unknown> | undefined;
      const kill = async (): Promise<void> => {
        await sandbox.kill();
        await (left ??= Promise.all(from.map(leave)));
      };
      return { ...sandbox, kill };
    } catch (error) {
      await Promise.all(from.map(leave));
      throw error;
    }
  }

  function known(snapshot: Snapshot): Archive {
    const archive = archives.get(snapshot);
    if (archive?.isThere !== true) throw unknownSnapshot(snapshot);
    return archive;
  }

  return { take, unpacked, kept: () => adoptKept({ folder, kind: 'archive', discard, open }) };
}

function discard(place: string): Promise<void> {
  return rm(place, { recursive: true, force: true });
}

interface Archive {
  readonly shown: string;
  /** Sandboxes that it is shown to: a folder that is shown has to stay. */
  users: number;
  isThere: boolean;
  remove(): Promise<void>;
}

async function dropArchive(archive: Archive): Promise<void> {
  archive.isThere = false;
  await rm(join(archive.shown, archiveName), { force: true });
  if (archive.users === 0) await archive.remove();
}

async function leave(archive: Archive): Promise<void> {
  archive.users -= 1;
  if (archive.users === 0 && !archive.isThere) await archive.remove();
}

/** Where a snapshot lies: its name tells the owner, and that it is no sandbox. */
export function snapshotName(folder: string): { readonly word: string; readonly place: string; remove(): Promise<void> } {
  const word = randomBytes(4).toString('hex');
  const place = join(folder, `snapshot.${word}~${thisOwner()}`);
  return { word, place, remove: () => rm(place, { recursive: true, force: true }) };
}

export function unknownSnapshot({ id }: Snapshot): Fault {
  return new Fault('invalid_request', { message: `the snapshot ${id} was not made by this provider, or is removed` });
}

/** A sandbox that does not begin as it should is none. */
async function unpack(sandbox: Sandbox, shown: string): Promise<void> {
  let words = '';
  try {
    const exit = await sandbox.exec({
      argv: ['tar', '--extract', '--preserve-permissions', '--file', `${shown}/${archiveName}`],
      ...{ timeoutMs: unpackMsMax, outputBytesMax: 65_536 },
      onOutput: (_stream, chunk) => void (words = `${words}${chunk.toString()}`.slice(0, 500)),
    });
    if (exit.reason === 'exited' && exit.code === 0) return;
    throw new Fault('invalid_request', { message: `a workspace can't begin as a snapshot: ${words.trim() || exit.reason}` });
  } catch (error) {
    await sandbox.kill().catch(() => {});
    throw error;
  }
}

function writeAll(fd: number, chunk: Buffer): void {
  for (let at = 0; at < chunk.length; ) at += writeSync(fd, chunk, at);
}
