import { randomBytes } from 'node:crypto';
import { chownSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { thisOwner } from '../../../kernel/processes/owner.ts';
import type { Snapshot } from '../../../worker/sandbox.ts';
import { workspaceBytesMin } from '../limits.ts';
import type { Tools } from '../local/host/tools.ts';
import { diskName, removeDisk } from './mounted.ts';

interface Trial {
  /** Where sandboxes live. */
  readonly folder: string;
  readonly tools: Tools;
  readonly disks: {
    put(folder: string, bytes: number): Promise<void>;
    putFrom(folder: string, begin: { from: readonly Snapshot[]; bytes: number; uid: number }): Promise<void>;
    snapshot(folder: string, id: string): Promise<Snapshot>;
  };
}

/** Two users that have nothing, to whom one disk is to look as their own. */
const [one, other] = [65_533, 65_534];

/** Makes a disk, and one over it where that is said to be possible. Throws what stood in the way. */
export async function tryDisks({ folder, tools, disks }: Trial, { stacked }: { stacked: boolean }): Promise<void> {
  const places = ['below', 'above'].map(() => join(folder, `trial.${randomBytes(4).toString('hex')}~${thisOwner()}`));
  const [below = '', above = ''] = places;
  try {
    mkdirSync(below, { mode: 0o700 });
    await disks.put(below, workspaceBytesMin);
    if (!stacked) return;
    const work = join(below, 'slot', diskName, 'work');
    mkdirSync(work);
    chownSync(work, one, one);
    symlinkSync(join(diskName, 'work'), join(below, 'slot', 'work'));
    const snapshot = await disks.snapshot(below, 'trial');
    try {
      mkdirSync(above, { mode: 0o700 });
      await disks.putFrom(above, { from: [snapshot], bytes: workspaceBytesMin, uid: other });
    } finally {
      await snapshot.remove();
    }
  } finally {
    for (const place of places) await removeDisk(place, tools).catch(() => {});
  }
}
