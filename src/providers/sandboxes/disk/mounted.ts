import { existsSync, lstatSync, mkdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../local/host/tools.ts';
import type { Tools } from '../local/host/tools.ts';
import { untilParentDies } from '../local/launch.ts';

/** The file of a disk in the folder of its sandbox: its own file system, as large as the workspace may be. */
export const imageName = 'disk.img';
/** Where it is mounted in the slot. The only mounts of this name on a machine are those of sandboxes. */
export const diskName = 'disk';
/** Where in the slot it is shown over what the workspace began as, where it began as something. */
export const mergedName = 'merged';

/** What of the slot is shown at `keptPath`; on a disk, what of that. */
export const keptName = 'kept';

/**
 * Programs in the workspace get no rights by their files. Tables of inodes that nobody uses are never written, so the image stays as
 * small as what is in it. Its journal is on and barriers are: after a loss of power the file system is whole, as of its last seconds,
 * and the work of a dead worker can be taken out of it.
 */
const OPTIONS = 'loop,nosuid,nodev,noatime,noinit_itable';
const SEALED = 'loop,ro,nosuid,nodev,noatime';

/** What of the slot is shown at /skep; where the compiled part has laid it, of the disk, where a new file waits for nobody else's. */
export const shownName = 'skep';

export function hasDisk(folder: string): boolean {
  return existsSync(join(folder, imageName));
}

export function isMounted(folder: string): boolean {
  return isPlace(folder, diskName) || isMerged(folder);
}

export function isMerged(folder: string): boolean {
  return isPlace(folder, mergedName);
}

export function isPlace(folder: string, name: string): boolean {
  const above = lstatSync(join(folder, 'slot'), { throwIfNoEntry: false });
  const place = lstatSync(join(folder, 'slot', name), { throwIfNoEntry: false });
  return above !== undefined && place !== undefined && above.dev !== place.dev;
}

/** Makes the disk of a folder by copying `template`, and mounts it. */
export async function mountCopy(folder: string, template: string, tools: Tools): Promise<void> {
  if (tools.mounter !== undefined) return await tools.mounter.disk('make', [template, folder]);
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

/** The disk that is in a folder. Of two who mount one image plainly the second gets the file system of the first. */
export async function mountDisk(folder: string, tools: Tools): Promise<void> {
  if (tools.mounter === undefined) await run(...tied(tools, mountArgv(folder, tools)));
  else await tools.mounter.disk('mount', [folder]);
}

/** The disk of a snapshot that an earlier worker has sealed, without a byte of it being written. */
export async function mountSealed(folder: string, tools: Tools): Promise<void> {
  const argv = mountArgv(folder, tools, SEALED);
  if (!isPlace(folder, diskName)) await run(...tied(tools, argv));
}

function mountArgv(folder: string, tools: Tools, options = OPTIONS): string[] {
  return [tools.mount, '-t', 'ext4', '-o', options, '--', join(folder, imageName), join(folder, 'slot', diskName)];
}

/** A worker that is killed takes the program that mounts with it: nothing is mounted in a folder that the next worker is removing. */
function tied(tools: Tools, argv: readonly string[]): [program: string, argv: string[]] {
  const [program, ...before] = untilParentDies(tools, process.pid);
  return [program, [...before, ...argv]];
}

/**
 * What is mounted in a folder that is to be removed. What still uses it, as a process that does not end, keeps it until then; with the last
 * one its loop device is free. Commands of other sandboxes have it in their mount namespaces too: there it goes when its folder does.
 */
async function unmount(folder: string, tools: Tools): Promise<void> {
  if (tools.mounter !== undefined && (await succeeds(tools.mounter.disk('end', [folder])))) return;
  for (const name of [mergedName, diskName].filter(each => isPlace(folder, each))) {
    const place = join(folder, 'slot', name);
    await run(tools.umount, ['--', place]).catch(() => run(tools.umount, ['--lazy', '--', place]));
  }
}

/** A folder with all that is mounted in it, in which the host alone has written beside that; then these groups, where that is possible. */
export async function removeDisk(folder: string, tools: Tools, groups: readonly string[] = []): Promise<void> {
  if (tools.mounter !== undefined && (await succeeds(tools.mounter.clear(folder, groups)))) return;
  await unmountAll(folder, tools);
  await rm(folder, { recursive: true, force: true });
}

export async function unmountAll(folder: string, tools: Tools): Promise<void> {
  while (isMounted(folder)) await unmount(folder, tools);
}

async function succeeds(act: Promise<unknown>): Promise<boolean> {
  return await act.then(
    () => true,
    () => false,
  );
}
