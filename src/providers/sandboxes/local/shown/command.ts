import { posix } from 'node:path';
import { Fault } from '../../../../kernel/fault.ts';
import { addedProgramsPath, homePath } from '../../../../worker/sandbox.ts';
import type { SandboxLimits } from '../../../../worker/sandbox.ts';

const shmBytesMax = 64 * 2 ** 20;

/** Sizes of what is in memory, in bytes. */
export function memorySizes({ tmpBytes }: SandboxLimits): { readonly tmp: number; readonly shm: number } {
  const size = (bytes: number): number => Math.max(4096, Math.floor(bytes));
  return { tmp: size(tmpBytes), shm: size(Math.min(tmpBytes, shmBytesMax)) };
}

/** The whole environment of a command. Throws Fault `invalid_request` for a name that is none. */
export function environment(given: Readonly<Record<string, string>>): [name: string, value: string][] {
  const wrong = Object.keys(given).find(name => !/^[A-Za-z_][A-Za-z0-9_]*$/.test(name));
  if (wrong !== undefined) throw new Fault('invalid_request', { message: `"${wrong}" is no name of an environment variable` });
  const own = {
    PATH: `/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin:${addedProgramsPath}`,
    HOME: homePath,
    LANG: 'C.UTF-8',
  };
  return Object.entries({ ...own, ...given });
}

/** Where a command runs. Throws Fault `invalid_request` for what is outside the workspace. */
export function workPath(cwd = '.'): string {
  const path = posix.join('/work', cwd);
  if (!cwd.startsWith('/') && (path === '/work' || path.startsWith('/work/'))) return path;
  throw new Fault('invalid_request', { message: `"${cwd}" is not a folder inside the workspace` });
}

/** Throws Fault `invalid_request` for a word that the system would cut. */
export function checked(word: string): string {
  if (!word.includes('\0')) return word;
  throw new Fault('invalid_request', { message: 'a path or a variable of a sandbox holds a NUL byte' });
}
