import { execFile } from 'node:child_process';
import { accessSync, constants, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Fault } from '../../../../kernel/fault.ts';

/** Where programs are looked for unless the caller says otherwise; not the caller's PATH, which an agent's tools may have changed. */
export const SYSTEM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

const PACKAGES = {
  bwrap: 'bubblewrap',
  setpriv: 'util-linux',
  unshare: 'util-linux',
  mount: 'mount',
  umount: 'mount',
  sh: 'dash',
  mkfifo: 'coreutils',
  rm: 'coreutils',
  chmod: 'coreutils',
  cp: 'coreutils',
  chown: 'coreutils',
  du: 'coreutils',
  sync: 'coreutils',
} as const;

type Tool = keyof typeof PACKAGES;

/** What the compiled part does with disks and what lies around them, each with its words. */
export interface Mounter {
  /** Throws an Error with the words of what failed. */
  disk(verb: 'make' | 'mount' | 'seal' | 'end', words: readonly string[]): Promise<void>;
  overlay(words: readonly string[]): Promise<void>;
  /** All that lies around a sandbox on the host: native/mounts/ground.c. */
  ground(words: readonly string[]): Promise<void>;
  /** Removes a folder in which the host alone has written beside its disk, with what is mounted in it, and then these groups. */
  clear(folder: string, groups: readonly string[]): Promise<void>;
}

export type Tools = Readonly<Record<Tool, string>> & {
  /** Of the compiled part of Skep, where that is there and may be used. */
  readonly mounter?: Mounter | undefined;
};

/** Throws Fault `sandbox_unavailable`, which names the package that is missing. */
export function findTools(path: string, { without = [] }: { readonly without?: readonly Tool[] } = {}): Tools {
  const needed = Object.entries(PACKAGES).filter(([name]) => !without.some(each => each === name));
  const found = needed.map(([name, pack]) => {
    const file = findProgram(path, name);
    if (file !== undefined) return [name, file];
    throw new Fault('sandbox_unavailable', { message: `${name} is not on ${path}`, hint: `apt-get install ${pack}` });
  });
  return Object.fromEntries(found) as Tools;
}

export function findProgram(path: string, name: string): string | undefined {
  const folders = path.split(':').filter(folder => folder.startsWith('/'));
  return folders.map(folder => join(folder, name)).find(isProgram);
}

/** Runs a program of the system to its end; an Error with its words when it fails. */
export function run(file: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(file, args, { env: { PATH: SYSTEM_PATH, LC_ALL: 'C' }, cwd: '/' }, (error, stdout, stderr) => {
      if (error) reject(new Error(stderr.trim() || error.message, { cause: error }));
      else resolve(stdout.trim());
    });
  });
}

/** Settings that switch user namespaces off, with the value that does it and the one that mends it. */
const SWITCHES = [
  { key: 'user.max_user_namespaces', off: '0', on: '15000' },
  { key: 'kernel.unprivileged_userns_clone', off: '0', on: '1' },
  { key: 'kernel.apparmor_restrict_unprivileged_userns', off: '1', on: '0' },
] as const;

/** The Fault for a sandbox that could not be set up, in the words of the program that failed, with what to do about it. */
export function setupFault(words: string, readSetting = readSysctl): Fault {
  const text = words.trim().slice(0, 2000) || 'bubblewrap ended without a word';
  const blocked = SWITCHES.find(({ key, off }) => readSetting(key) === off);
  const aboutNamespaces = /namespace|unshare|uid map|Operation not permitted|Permission denied|No space left/i.test(text);
  const hint =
    blocked && aboutNamespaces
      ? `user namespaces are switched off: sysctl -w ${blocked.key}=${blocked.on}`
      : 'the words are those of bubblewrap or of the step before it; in a container it needs the right to make user namespaces';
  return new Fault('sandbox_unavailable', { message: `the sandbox could not be set up: ${text}`, hint });
}

/** The Fault for a command that was to run in a folder that is not there. */
export function folderFault(): Fault {
  return new Fault('invalid_request', { message: 'the folder to run in does not exist in the workspace' });
}

/** Turns "no space left" into Fault `disk_full`; other errors pass. */
export function diskFault(error: unknown): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  const full = code === 'ENOSPC' || code === 'EDQUOT' || /No space left|quota exceeded/i.test(String(error));
  if (error instanceof Fault || !full) return error;
  return new Fault('disk_full', { message: 'there is no space left for the files of a sandbox', cause: error });
}

function readSysctl(key: string): string | undefined {
  try {
    return readFileSync(`/proc/sys/${key.replaceAll('.', '/')}`, 'utf8').trim();
  } catch {
    return undefined;
  }
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
