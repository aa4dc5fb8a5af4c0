import { renameSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { Fault } from '../../../kernel/fault.ts';
import type { KeptSnapshot, Snapshot } from '../../../worker/sandbox.ts';
import { asRoot } from '../lacks.ts';
import type { Reason } from '../lacks.ts';
import { workspaceBytesMin } from '../limits.ts';
import type { GroupPlan } from '../local/host/cgroups.ts';
import { diskFault, findProgram, run } from '../local/host/tools.ts';
import type { Tools } from '../local/host/tools.ts';
import { mountAgain } from './again.ts';
import { stack } from './layers.ts';
import type { Layer } from './layers.ts';
import { diskName, keptName, mountCopy, shownName } from './mounted.ts';
import { createReady } from './ready.ts';
import { createDiskSnapshots, giveTo } from './snapshots.ts';
import { createTemplates } from './template.ts';
import { tryDisks } from './trial.ts';

interface Begin {
  readonly from: readonly Snapshot[];
  readonly bytes: number;
  readonly uid: number;
}

/** What lies around a sandbox of the compiled part. */
export interface Ground extends Begin {
  readonly keeps: boolean;
  readonly group: GroupPlan | undefined;
  /** Names in the folder, of pipes and of an empty file. */
  readonly pipes: readonly string[];
  readonly mark: string;
}

/** Workspaces that are a file system of their own, which can't grow over its size. */
export interface Disks {
  /** Mounts an empty one of at most `bytes` in the slot of the folder, which is there and empty. Throws Fault `disk_full`. */
  put(folder: string, bytes: number): Promise<void>;
  /** The same with what is in snapshots, all of it the user's. Throws Fault `invalid_request` for one that is not of this size. */
  putFrom(folder: string, begin: Begin): Promise<void>;
  /** Both of these in a folder that is not there yet, with all else that is the same for all sandboxes, where the compiled part can do so. */
  readonly lay: ((folder: string, ground: Ground) => Promise<void>) | undefined;
  /** Whether a workspace can begin as several snapshots, which then lie below it; else as one, which is copied. */
  readonly canStack: boolean;
  /** A copy of the disk in a folder in which nothing runs. Throws Fault `disk_full`. */
  snapshot(folder: string, id: string): Promise<Snapshot>;
  /** What earlier workers have kept. */
  kept(): Promise<readonly KeptSnapshot[]>;
  /** Mounts the one that is in a folder of a dead worker. Throws Fault `sandbox_unavailable`. */
  again(folder: string): Promise<void>;
  /** Has `count` of them ready, `readyMax` at most; resolves when they are. Never throws. */
  prepare(bytes: number, count: number): Promise<void>;
  reap(): void;
}

export interface FoundDisks {
  /** Absent where a workspace can't be a disk of its own. */
  readonly disks: Disks | undefined;
  /** Why there are none. */
  readonly noDisks: Reason | undefined;
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
export async function findDisks(place: Place): Promise<FoundDisks> {
  if (process.geteuid?.() !== 0) return none({ why: 'only root can mount a disk for each workspace', mend: asRoot });
  const mkfs = findProgram(place.path, 'mkfs.ext4');
  if (mkfs === undefined) return none({ why: `mkfs.ext4 is not on ${place.path}`, mend: 'apt-get install e2fsprogs' });
  const noLayers =
    place.tools.mounter === undefined ? 'the compiled part is not there' : await tried(place, mkfs, { canStack: true });
  const noDisks = noLayers === undefined ? undefined : await tried(place, mkfs, { canStack: false });
  if (noDisks !== undefined) return none({ why: `no disk can be mounted here: ${noDisks}`.slice(0, 500), mend: mendMounts });
  return { disks: createDisks(place, mkfs, { canStack: noLayers === undefined }), noDisks: undefined };
}

/** What stood in the way. */
async function tried(place: Place, mkfs: string, { canStack }: { canStack: boolean }): Promise<string | undefined> {
  try {
    await tryDisks({ ...place, disks: createDisks(place, mkfs, { canStack }) }, { stacked: canStack });
    return undefined;
  } catch (error) {
    if (error instanceof Fault) throw error;
    return error instanceof Error ? error.message : String(error);
  }
}

/** For people. */
export function workspaceFact({ disks, noDisks }: FoundDisks): string {
  if (disks === undefined) return `a folder: ${noDisks?.why ?? ''}`;
  return disks.canStack ? 'a disk of its own, over those that it begins as' : 'a disk of its own';
}

const mendMounts =
  'modprobe loop; a container needs /dev/loop-control, /dev/loop* and the right to mount (CAP_SYS_ADMIN), as --privileged gives them';

function none(noDisks: Reason): FoundDisks {
  return { disks: undefined, noDisks };
}

function createDisks({ folder, tools, path }: Place, mkfs: string, { canStack }: { canStack: boolean }): Disks {
  const templates = createTemplates(join(folder, 'disks'), mkfs);
  const snapshots = createDiskSnapshots({ folder, tools, areSealed: canStack });
  const ready = createReady({ folder, tools, make: fill });

  async function fill(place: string, bytes: number): Promise<void> {
    try {
      await mountCopy(place, await templates.of(bytes), tools);
    } catch (error) {
      throw diskFault(error);
    }
  }

  async function put(place: string, bytes: number): Promise<void> {
    const size = sizeOf(folder, bytes);
    const made = ready.take(size);
    // Onto the folder that is there: who made it has the name, and nobody else comes between.
    if (made === undefined) await fill(place, size);
    else renameSync(made, place);
  }

  async function lay(place: string, { from, bytes, uid, keeps, group, pipes, mark }: Ground): Promise<void> {
    const size = sizeOf(folder, bytes);
    const layers = layersOf(from, size);
    // What begins as others shows its work elsewhere than on its own disk.
    const own = [...(layers.length === 0 ? ['work'] : []), ...(keeps ? [keptName] : [])];
    const words = [
      ...(group?.folders ?? []).flatMap(path => ['group', path]),
      ...(group?.settings ?? []).flatMap(([file, value]) => ['set', file, String(value)]),
      ...['disk', await templates.of(size)],
      ...own.flatMap(name => ['own', name]),
      ...['shown', shownName],
      ...pipes.flatMap(name => ['pipe', name]),
      ...['mark', mark],
    ];
    try {
      await tools.mounter?.ground([place, String(uid), ...words]);
      if (layers.length > 0) await stack(place, { layers, uid }, tools);
    } catch (error) {
      throw diskFault(error);
    }
  }

  function layersOf(from: readonly Snapshot[], size: number): readonly Layer[] {
    return from.toReversed().flatMap(each => snapshots.layersOf(each, size));
  }

  async function putCopy(place: string, image: string, uid: number): Promise<void> {
    await mountCopy(place, image, tools);
    // What was kept or shown there is no part of a workspace.
    const others = [keptName, shownName].map(name => join(place, 'slot', diskName, name));
    await run(tools.rm, ['-rf', '--one-file-system', '--', ...others]);
    await giveTo(uid, place, tools);
  }

  return {
    put,
    lay: tools.mounter === undefined ? undefined : lay,
    canStack,
    async putFrom(place, { from, bytes, uid }) {
      const layers = layersOf(from, sizeOf(folder, bytes));
      try {
        if (!canStack) return await putCopy(place, layers[0]?.image ?? '', uid);
        await put(place, bytes);
        await stack(place, { layers, uid }, tools);
      } catch (error) {
        throw diskFault(error);
      }
    },
    snapshot: snapshots.take,
    kept: snapshots.kept,
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
