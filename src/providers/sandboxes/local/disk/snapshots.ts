import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Fault } from '../../../../kernel/fault.ts';
import type { Snapshot } from '../../../../worker/sandbox.ts';
import { snapshotName, unknownSnapshot } from '../../snapshots.ts';
import { diskFault, run } from '../host/tools.ts';
import type { Tools } from '../host/tools.ts';
import { copyArgv, diskName, imageName } from './mounted.ts';

interface DiskSnapshots {
  take(folder: string, id: string): Promise<Snapshot>;
  /** Throws Fault `invalid_request` for one that is none of these, or of another size. */
  imageOf(snapshot: Snapshot, bytes: number): string;
}

/** Copies of disks, sparse. In `folder`, under names that are no sandbox's: those of a dead worker are removed with its sandboxes. */
export function createDiskSnapshots(folder: string, tools: Tools): DiskSnapshots {
  const images = new WeakMap<Snapshot, string>();
  return {
    async take(from, id) {
      const { place, word, remove } = snapshotName(folder);
      const image = join(place, imageName);
      try {
        mkdirSync(place, { mode: 0o700 });
        // All that was written is in the file then; nothing runs that could write more.
        await run(tools.sync, ['--file-system', '--', join(from, 'slot', diskName)]);
        await run(...copyArgv(tools, join(from, imageName), image));
      } catch (error) {
        await remove();
        throw diskFault(error);
      }
      const snapshot = { id: `${id}-${word}`, remove };
      images.set(snapshot, image);
      return snapshot;
    },
    imageOf(snapshot, bytes) {
      const image = images.get(snapshot);
      const size = image === undefined ? undefined : statSync(image, { throwIfNoEntry: false })?.size;
      if (image === undefined || size === undefined) throw unknownSnapshot(snapshot);
      if (size === bytes) return image;
      throw new Fault('invalid_request', {
        message: `the snapshot ${snapshot.id} is of a workspace of ${size} bytes, not of ${bytes}`,
        hint: 'take it from a sandbox with the same workspaceBytes',
      });
    },
  };
}

/** What the sandbox before has written belongs to the next one's user. No link is followed, and nothing runs there yet. */
export async function giveTo(uid: number, folder: string, tools: Tools): Promise<void> {
  await run(tools.chown, ['-R', '--no-dereference', '-P', '--', `${uid}:${uid}`, join(folder, 'slot', diskName)]);
  await run(tools.chown, ['--', '0:0', join(folder, 'slot', diskName)]);
}
