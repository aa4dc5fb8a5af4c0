import { existsSync, lstatSync, readlinkSync } from 'node:fs';
import { posix } from 'node:path';
import { Fault } from '../../../kernel/fault.ts';
import { addedProgramsPath, keptPath } from '../../../worker/sandbox.ts';
import type { SandboxCommand, SandboxLimits } from '../../../worker/sandbox.ts';
import { keptName } from './folder.ts';

interface Inside {
  /** The slot of the sandbox at a place that its uid can reach. */
  readonly slot: string;
  readonly binds: readonly { readonly source: string; readonly to: string }[];
  readonly limits: SandboxLimits;
  readonly keeps: boolean;
  readonly command: SandboxCommand;
}

/**
 * Everything that bubblewrap is told, as it reads it from a descriptor (each word ended by a NUL), so that neither secrets
 * nor the host's paths stand in a process list. What confines comes first: should the worker die while writing, less is
 * given to the sandbox and nothing more.
 */
export function bwrapArguments({ slot, binds, limits, keeps, command }: Inside): Buffer {
  const words = [
    ...['--unshare-all', '--unshare-user', '--disable-userns', '--cap-drop', 'ALL', '--die-with-parent', '--new-session'],
    ...['--uid', '1000', '--gid', '1000', '--hostname', 'skep', '--clearenv'],
    ...system(),
    ...['--proc', '/proc', ...MASKED.filter(path => existsSync(path)).flatMap(path => ['--ro-bind', '/dev/null', path])],
    // Its own tmpfs has no size; read-only, nothing can be put there. Devices can still be written to.
    ...['--dev', '/dev', ...tmpfs('/dev/shm', Math.min(limits.tmpBytes, SHM_BYTES_MAX)), '--remount-ro', '/dev'],
    ...[...tmpfs('/tmp', limits.tmpBytes), ...tmpfs(HOME, limits.tmpBytes)],
    ...['passwd', 'group', 'hosts', 'nsswitch.conf'].flatMap(name => ['--ro-bind', `${slot}/etc/${name}`, `/etc/${name}`]),
    ...['--ro-bind', `${slot}/skep`, '/skep', ...binds.flatMap(({ source, to }) => ['--ro-bind', source, to])],
    ...(keeps ? ['--bind', `${slot}/${keptName}`, keptPath] : []),
    ...['--bind', `${slot}/work`, '/work', '--remount-ro', '/', '--chdir', workPath(command.cwd)],
    ...environment(command.env ?? {}).flatMap(([name, value]) => ['--setenv', name, value]),
  ];
  return Buffer.from(words.map(word => `${checked(word)}\0`).join(''));
}

const HOME = '/home/agent';
const SHM_BYTES_MAX = 64 * 2 ** 20;

/** Files of /proc that tell of the whole machine or of other users' keys. */
const MASKED = ['/proc/kcore', '/proc/keys', '/proc/key-users', '/proc/timer_list', '/proc/sched_debug', '/proc/kallsyms'];

/** Of the host's /etc only what programs need to start and to check certificates; never the folder itself. */
const ETC = [
  '/etc/ld.so.cache',
  '/etc/alternatives',
  '/etc/localtime',
  '/etc/ssl/certs',
  '/etc/ssl/openssl.cnf',
  '/etc/ca-certificates',
  '/etc/pki/tls/certs',
  '/etc/pki/ca-trust',
];

/** /usr and what the host has beside it: links into it on most systems, folders of their own on some. */
function system(): string[] {
  const beside = ['bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32'].flatMap(name => {
    const entry = lstatSync(`/${name}`, { throwIfNoEntry: false });
    if (entry?.isSymbolicLink()) return ['--symlink', readlinkSync(`/${name}`), `/${name}`];
    return entry?.isDirectory() ? ['--ro-bind', `/${name}`, `/${name}`] : [];
  });
  return [
    '--ro-bind',
    '/usr',
    '/usr',
    ...beside,
    '--perms',
    '0755',
    '--dir',
    '/etc',
    '--perms',
    '0755',
    '--dir',
    '/etc/ssl',
    ...ETC.flatMap(path => ['--ro-bind-try', path, path]),
  ];
}

function tmpfs(path: string, bytes: number): string[] {
  return ['--size', String(Math.max(4096, Math.floor(bytes))), '--perms', '1777', '--tmpfs', path];
}

function environment(given: Readonly<Record<string, string>>): [name: string, value: string][] {
  const wrong = Object.keys(given).find(name => !/^[A-Za-z_][A-Za-z0-9_]*$/.test(name));
  if (wrong !== undefined) throw new Fault('invalid_request', { message: `"${wrong}" is no name of an environment variable` });
  const own = {
    PATH: `/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin:${addedProgramsPath}`,
    HOME,
    LANG: 'C.UTF-8',
  };
  return Object.entries({ ...own, ...given });
}

function workPath(cwd = '.'): string {
  const path = posix.join('/work', cwd);
  if (!cwd.startsWith('/') && (path === '/work' || path.startsWith('/work/'))) return path;
  throw new Fault('invalid_request', { message: `"${cwd}" is not a folder inside the workspace` });
}

function checked(word: string): string {
  if (!word.includes('\0')) return word;
  throw new Fault('invalid_request', { message: 'a path or a variable of a sandbox holds a NUL byte' });
}
