import { randomBytes } from 'node:crypto';
import { mkdirSync, renameSync, rmSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { Fault } from '../../../../kernel/fault.ts';
import { thisOwner } from '../../../../kernel/process-owner.ts';
import type { Snapshot } from '../../../../worker/sandbox.ts';
import { workspaceBytesMin } from '../../limits.ts';
import { diskFault, findProgram } from '../host/tools.ts';
import type { Tools } from '../host/tools.ts';
import { isMounted, mountAgain, mountCopy, unmount } from './mounted.ts';
import { createReady } from './ready.ts';
import { createDiskSnapshots, giveTo } from './snapshots.ts';
import { createTemplates } from './template.ts';

/** Workspaces that are a file system of their own, which can't grow over its size. */
export interface Disks {
  /** Mounts an empty one of at most `bytes` in the slot of the folder, which is there and empty. Throws Fault `disk_full`. */
  put(folder: string, bytes: number): Promise<void>;
  /** The same as a copy of a snapshot, all of it the user's. Throws Fault `invalid_request` for one that is not of this size. */
  putCopy(
    folder: string,
    copy: { readonly from: Snapshot; readonly bytes: number; readonly uid: number | undefined },
  ): Promise<void>;
  /** A copy of the disk in a folder in which nothing runs. Throws Fault `disk_full`. */
  snapshot(folder: string, id: string): Promise<Snapshot>;
  /** Mounts the one that is in a folder of a dead worker. Throws Fault `sandbox_unavailable`. */
  again(folder: string): Promise<void>;
  /** Has `count` of them ready, `readyMax` at most; resolves when they are. Never throws. */
  prepare(bytes: number, count: number): Promise<void>;
  reap(): void;
}

/** A file system larger than any disk that a workspace lies on is not made, only because somebody has named no limit. */
const diskBytesMax = 4 * 2 ** 40;
/** So much must be free where a disk is made: a sandbox that can write nothing is none. */
const freeBytesMin = 2 * 2 ** 20;

interface Place {
  /** Where sandboxes live. */
  readonly folder: string;
  readonly tools: Tools;
  /** Where programs are looked for. */
  readonly path: string;
}

/** Whether disks can be made here, by making one; otherwise why not. Throws Fault `disk_full`. */
export async function findDisks(place: Place): Promise<Disks | { readonly why: string }> {
  if (process.geteuid?.() !== 0) return { why: 'only root can mount a disk for each workspace' };
  const mkfs = findProgram(place.path, 'mkfs.ext4');
  if (mkfs === undefined) return { why: `mkfs.ext4 is not on ${place.path}: apt-get install e2fsprogs` };
  const disks = createDisks(place, mkfs);
  const trial = join(place.folder, `trial.${randomBytes(4).toString('hex')}~${thisOwner()}`);
  try {
    mkdirSync(trial, { mode: 0o700 });
    await disks.put(trial, workspaceBytesMin);
    return disks;
  } catch (error) {
    if (error instanceof Fault) throw error;
    return { why: `no disk can be mounted here: ${error instanceof Error ? error.message : String(error)}`.slice(0, 500) };
  } finally {
    await removed(trial, place.tools);
  }
}

async function removed(folder: string, tools: Tools): Promise<void> {
  if (isMounted(folder)) await unmount(folder, tools).catch(() => {});
  rmSync(folder, { recursive: true, force: true });
}

function createDisks({ folder, tools, path }: Place, mkfs: string): Disks {
  const templates = createTemplates(join(folder, 'disks'), mkfs);
  const snapshots = createDiskSnapshots(folder, tools);
  const ready = createReady({ folder, tools, make: fill });

  async function fill(place: string, bytes: number): Promise<void> {
    try {
      await mountCopy(place, await templates.of(bytes), tools);
    } catch (error) {
      throw diskFault(error);
    }
  }

  return {
    async put(place, bytes) {
      const size = sizeOf(folder, bytes);
      const made = ready.take(size);
      // Onto the folder that is there: who made it has the name, and nobody else comes between.
      if (made === undefined) await fill(place, size);
      else renameSync(made, place);
    },
    async putCopy(place, { from, bytes, uid }) {
      const image = snapshots.imageOf(from, sizeOf(folder, bytes));
      try {
        await mountCopy(place, image, tools);
        if (uid !== undefined) await giveTo(uid, place, tools);
      } catch (error) {
        throw diskFault(error);
      }
    },
    snapshot: snapshots.take,
    again: place => mountAgain(place, tools, path),
    prepare: (bytes, count) => ready.want(sizeOf(folder, bytes), count),
    reap: templates.reap,
  };
}

/** Never more than what it lies on can ever hold: a limit larger than the machine is one all the same. */
function sizeOf(folder: string, bytes: number): number {
  const { blocks, bavail, bsize } = statfsSync(folder);
  if (bavail * bsize < freeBytesMin)
    throw new Fault('disk_full', { message: `there is no space left for a workspace where ${folder} lies` });
  const most = Math.max(workspaceBytesMin, Math.min(bytes, blocks * bsize, diskBytesMax));
  return Math.floor(most / 4096) * 4096;
}
