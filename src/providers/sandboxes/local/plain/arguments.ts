import { homePath, keptPath } from '../../../../worker/sandbox.ts';
import type { SandboxCommand, SandboxLimits } from '../../../../worker/sandbox.ts';
import { keptName } from '../../disk/mounted.ts';
import { checked, environment, memorySizes, workPath } from '../shown/command.ts';
import { etcOfHost, maskedFiles, systemFolders } from '../shown/host.ts';

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
  const sizes = memorySizes(limits);
  const words = [
    ...['--unshare-all', '--unshare-user', '--disable-userns', '--cap-drop', 'ALL', '--die-with-parent', '--new-session'],
    ...['--uid', '1000', '--gid', '1000', '--hostname', 'skep', '--clearenv'],
    ...system(),
    ...['--proc', '/proc', ...maskedFiles().flatMap(path => ['--ro-bind', '/dev/null', path])],
    // Its own tmpfs has no size; read-only, nothing can be put there. Devices can still be written to.
    ...['--dev', '/dev', ...tmpfs('/dev/shm', sizes.shm), '--remount-ro', '/dev'],
    ...[...tmpfs('/tmp', sizes.tmp), ...tmpfs(homePath, sizes.tmp)],
    ...['passwd', 'group', 'hosts', 'nsswitch.conf'].flatMap(name => ['--ro-bind', `${slot}/etc/${name}`, `/etc/${name}`]),
    ...['--ro-bind', `${slot}/skep`, '/skep', ...binds.flatMap(({ source, to }) => ['--ro-bind', source, to])],
    ...(keeps ? ['--bind', `${slot}/${keptName}`, keptPath] : []),
    ...['--bind', `${slot}/work`, '/work', '--remount-ro', '/', '--chdir', workPath(command.cwd)],
    ...environment(command.env ?? {}).flatMap(([name, value]) => ['--setenv', name, value]),
  ];
  return Buffer.from(words.map(word => `${checked(word)}\0`).join(''));
}

function system(): string[] {
  const shown = systemFolders().flatMap(({ path, link }) =>
    link === undefined ? ['--ro-bind', path, path] : ['--symlink', link, path],
  );
  const folders = ['/etc', '/etc/ssl'].flatMap(path => ['--perms', '0755', '--dir', path]);
  return [...shown, ...folders, ...etcOfHost.flatMap(path => ['--ro-bind-try', path, path])];
}

function tmpfs(path: string, bytes: number): string[] {
  return ['--size', String(bytes), '--perms', '1777', '--tmpfs', path];
}
