import { mkdtempSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { Fault } from '../../../kernel/fault.ts';
import { findProgram, run } from '../local/host/tools.ts';
import type { Tools } from '../local/host/tools.ts';
import { isLayered, stackAgain } from './layers.ts';
import { diskName, hasDisk, imageName, isMerged, isPlace, mountDisk, unmountAll } from './mounted.ts';

/** The disk of a sandbox of a dead worker, as after a loss of power. Throws Fault `sandbox_unavailable`. */
export async function mountAgain(folder: string, tools: Tools, path: string): Promise<void> {
  if (!hasDisk(folder)) return;
  try {
    if (isPlace(folder, diskName) && isShutDown(folder)) await unmountAll(folder, tools);
    if (!isPlace(folder, diskName)) await mended(folder, tools, path);
    await stackAgain(folder, tools);
  } catch (error) {
    throw new Fault('sandbox_unavailable', {
      message: `the disk of a workspace can't be mounted: ${error instanceof Error ? error.message : String(error)}`,
      hint: `look at it with e2fsck ${join(folder, imageName)}`,
      cause: error,
    });
  }
}

/** Who died while he removed it has taken the file system from under it: nothing can be read or written there until it is mounted anew. */
function isShutDown(folder: string): boolean {
  const place = join(folder, 'slot', diskName);
  try {
    rmdirSync(mkdtempSync(join(place, 'trial-')));
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EIO';
  }
}

async function mended(folder: string, tools: Tools, path: string): Promise<void> {
  await mountDisk(folder, tools).catch(async (error: unknown) => {
    const fsck = findProgram(path, 'e2fsck');
    if (fsck === undefined) throw error;
    // Its exit code is 1 where it has mended something.
    await run(fsck, ['-p', join(folder, imageName)]).catch(() => {});
    await mountDisk(folder, tools);
  });
}

/** Whether what is in a folder that a dead worker has left can be looked at. */
export function isShown(folder: string): boolean {
  return !hasDisk(folder) || (isPlace(folder, diskName) && (!isLayered(folder) || isMerged(folder)));
}
