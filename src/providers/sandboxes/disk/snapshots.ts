import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Fault } from '../../../kernel/fault.ts';
import type { KeptSnapshot, Snapshot } from '../../../worker/sandbox.ts';
import { snapshotName, unknownSnapshot } from '../archives.ts';
import { adoptKept, lasting } from '../kept/index.ts';
import type { Lying } from '../kept/index.ts';
import { diskFault, run } from '../local/host/tools.ts';
import type { Tools } from '../local/host/tools.ts';
import { isLayered, ownerOf, passOn, sealed } from './layers.ts';
import type { Layer } from './layers.ts';
import { copyArgv, diskName, imageName, mountSealed, removeDisk, unmountAll } from './mounted.ts';

interface DiskSnapshots {
  take(folder: string, id: string): Promise<Snapshot>;
  /** The topmost first. Throws Fault `invalid_request` for a snapshot that is none of these, or of another size. */
  layersOf(snapshot: Snapshot, bytes: number): readonly Layer[];
  /** What earlier workers have kept. */
  kept(): Promise<readonly KeptSnapshot[]>;
}

interface Place {
  /** Where sandboxes live. */
  readonly folder: string;
  readonly tools: Tools;
  /** Mounted for reading alone, to lie below workspaces. */
  readonly areSealed: boolean;
}

interface Taken {
  readonly place: string;
  readonly uid: number;
}

/** Copies of disks, sparse. In `folder`, under names that are no sandbox's: those of a dead worker are removed with its sandboxes. */
export function createDiskSnapshots({ folder, tools, areSealed }: Place): DiskSnapshots {
  const known = new WeakMap<Snapshot, Taken>();
  const remove = (place: string): Promise<void> => removeDisk(place, tools);

  function open(lying: Omit<Lying, 'kind' | 'remove'>): Snapshot {
    const { place, uid } = lying;
    const whole = lasting({ ...lying, kind: 'disk', remove: () => remove(place), rest: () => unmountAll(place, tools) });
    // What lies on others is in more files than its own.
    const snapshot = isLayered(place) ? { id: whole.id, remove: whole.remove } : whole;
    known.set(snapshot, { place, uid });
    return snapshot;
  }

  return {
    async take(from, id) {
      const { place, word } = snapshotName(folder);
      try {
        mkdirSync(place, { mode: 0o700 });
        // All that was written is in the file then; nothing runs that could write more.
        await run(tools.sync, ['--file-system', '--', join(from, 'slot', diskName)]);
        await run(...copyArgv(tools, join(from, imageName), join(place, imageName)));
        passOn(from, place);
        if (areSealed) await tools.mounter?.disk('seal', [place]);
      } catch (error) {
        await remove(place);
        throw diskFault(error);
      }
      return open({ id: `${id}-${word}`, place, uid: ownerOf(from) });
    },
    layersOf(snapshot, bytes) {
      const taken = known.get(snapshot);
      const size = taken && statSync(join(taken.place, imageName), { throwIfNoEntry: false })?.size;
      if (taken === undefined || size === undefined) throw unknownSnapshot(snapshot);
      if (size === bytes) return sealed(taken.place, taken.uid);
      throw new Fault('invalid_request', {
        message: `the snapshot ${snapshot.id} is of a workspace of ${size} bytes, not of ${bytes}`,
        hint: 'take it from a sandbox with the same workspaceBytes',
      });
    },
    kept() {
      const show = (place: string): Promise<void> => mountSealed(place, tools);
      return adoptKept({ folder, kind: 'disk', discard: remove, open, ...(areSealed ? { show } : {}) });
    },
  };
}

/** What the sandbox before has written belongs to the next one's user. No link is followed, and nothing runs there yet. */
export async function giveTo(uid: number, folder: string, tools: Tools): Promise<void> {
  await run(tools.chown, ['-R', '--no-dereference', '-P', '--', `${uid}:${uid}`, join(folder, 'slot', diskName)]);
  await run(tools.chown, ['--', '0:0', join(folder, 'slot', diskName)]);
}
