import { closeSync, constants, lstatSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { dirname, join } from 'node:path';

/** A path that leads out of the repository, or to what is no file. */
export class Misplaced extends Error {}

/** Whether `path` is that of a file below `root`, and no link leads to it. */
export function isPlainFile(root: string, path: string): boolean {
  const parts = path.split('/');
  return parts.every((_, i) => {
    const found = look(join(root, ...parts.slice(0, i + 1)));
    return i === parts.length - 1 ? found?.isFile() === true : found?.isDirectory() === true;
  });
}

/** Writes a file below `root` and makes the folders that it lies in. Throws Misplaced where a link or something else stands in its way. */
export function writeBelow(root: string, path: string, content: string | Uint8Array): void {
  refusePlace(root, path);
  const at = join(root, path);
  mkdirSync(dirname(at), { recursive: true });
  const descriptor = openSync(at, constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW, 0o644);
  try {
    const bytes = Buffer.from(content);
    for (let offset = 0; offset < bytes.length; ) offset += writeSync(descriptor, bytes, offset);
  } finally {
    closeSync(descriptor);
  }
}

/** Throws as writeBelow. What is not there is removed already. */
export function removeBelow(root: string, path: string): void {
  if (isPlainFile(root, path)) rmSync(join(root, path));
  else if (look(join(root, path)) !== undefined) throw new Misplaced(`'${path}' is no file of the repository`);
}

/** Throws Misplaced where no file can be written to `path` below `root`. */
export function refusePlace(root: string, path: string): void {
  const parts = path.split('/');
  for (const [i, part] of parts.entries()) {
    const found = look(join(root, ...parts.slice(0, i + 1)));
    if (found === undefined) return;
    if (i === parts.length - 1 ? found.isFile() : found.isDirectory()) continue;
    const what = i === parts.length - 1 ? 'it' : part;
    throw new Misplaced(`'${path}' cannot be written: ${what} is ${kindOf(found)}`);
  }
}

function look(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch (error) {
    // Below what is no folder there is nothing.
    if (error instanceof Error && 'code' in error && error.code === 'ENOTDIR') return undefined;
    throw error;
  }
}

function kindOf(found: Stats): string {
  if (found.isSymbolicLink()) return 'a symbolic link';
  if (found.isDirectory()) return 'a folder';
  return found.isFile() ? 'a file' : 'no file';
}
