import { existsSync, lstatSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Fault } from '../../../../kernel/fault.ts';
import { findProgram, run } from '../host/tools.ts';
import type { Tools } from '../host/tools.ts';
import { untilParentDies } from '../launch.ts';

/** The file of a disk in the folder of its sandbox: its own file system, as large as the workspace may be. */
export const imageName = 'disk.img';
/** Where it is mounted in the slot. The only mounts of this name on a machine are those of sandboxes. */
export const diskName = 'disk';

/**
 * Programs in the workspace get no rights by their files. Tables of inodes that nobody uses are never written, so the image stays as
 * small as what is in it. Its journal is on and barriers are: after a loss of power the file system is whole, as of its last seconds,
 * and the work of a dead worker can be taken out of it.
 */
const OPTIONS = 'loop,nosuid,nodev,noatime,noinit_itable';

export function hasDisk(folder: string): boolean {
  return existsSync(join(folder, imageName));
}

export function isMounted(folder: string): boolean {
  const above = lstatSync(join(folder, 'slot'), { throwIfNoEntry: false });
  const place = lstatSync(join(folder, 'slot', diskName), { throwIfNoEntry: false });
  return above !== undefined && place !== undefined && above.dev !== place.dev;
}

/** Makes the disk of a folder by copying `template`, and mounts it. */
export async function mountCopy(folder: string, template: string, tools: Tools): Promise<void> {
  for (const each of ['slot', join('slot', diskName)]) mkdirSync(join(folder, each), { mode: 0o755 });
  const copy = ['-c', COPY, 'skep-disk', tools.cp, template, join(folder, imageName)] as const;
  await run(...tied(tools, [tools.sh, ...copy, ...mountArgv(folder, tools)]));
}

/** Holes stay holes. */
export function copyArgv(tools: Tools, from: string, to: string): [program: string, argv: string[]] {
  return tied(tools, [tools.cp, '--sparse=always', '--reflink=auto', '--', from, to]);
}

const COPY = `
"$1" --sparse=always --reflink=auto -- "$2" "$3" || exit
shift 3
exec "$@"`;

/** Of two who mount one image the second gets the file system of the first. */
async function mount(folder: string, tools: Tools): Promise<void> {
  await run(...tied(tools, mountArgv(folder, tools)));
}

function mountArgv(folder: string, tools: Tools): string[] {
  return [tools.mount, '-t', 'ext4', '-o', OPTIONS, '--', join(folder, imageName), join(folder, 'slot', diskName)];
}

/** A worker that is killed takes the program that mounts with it: nothing is mounted in a folder that the next worker is removing. */
function tied(tools: Tools, argv: readonly string[]): [program: string, argv: string[]] {
  const [program, ...before] = untilParentDies(tools, process.pid);
  return [program, [...before, ...argv]];
}

/** The disk of a sandbox of a dead worker, as after a loss of power. Throws Fault `sandbox_unavailable`. */
export async function mountAgain(folder: string, tools: Tools, path: string): Promise<void> {
  if (!hasDisk(folder) || isMounted(folder)) return;
  try {
    await mount(folder, tools).catch(async (error: unknown) => {
      const fsck = findProgram(path, 'e2fsck');
      if (fsck === undefined) throw error;
      // Its exit code is 1 where it has mended something.
      await run(fsck, ['-p', join(folder, imageName)]).catch(() => {});
      await mount(folder, tools);
    });
  } catch (error) {
    throw new Fault('sandbox_unavailable', {
      message: `the disk of a workspace can't be mounted: ${error instanceof Error ? error.message : String(error)}`,
      hint: `look at it with e2fsck ${join(folder, imageName)}`,
      cause: error,
    });
  }
}

/**
 * What still uses it, as a process that does not end, keeps it until then; with the last one its loop device is free. Commands of other
 * sandboxes have it in their mount namespaces too: there it goes when its folder does.
 */
export async function unmount(folder: string, tools: Tools): Promise<void> {
  const place = join(folder, 'slot', diskName);
  await run(tools.umount, ['--', place]).catch(() => run(tools.umount, ['--lazy', '--', place]));
}
