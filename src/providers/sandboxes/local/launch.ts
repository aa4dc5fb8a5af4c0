import { accessSync, constants, readFileSync, realpathSync } from 'node:fs';
import { dirname } from 'node:path';
import { Fault } from '../../../kernel/fault.ts';
import type { SandboxLimits } from '../../../worker/sandbox.ts';
import type { Tools } from './host/tools.ts';

/** Descriptors that bubblewrap gets beside 0, 1 and 2; it closes them before the command starts. */
export const FD = { arguments: 3, status: 4, seccomp: 5 } as const;

interface Launch {
  readonly tools: Tools;
  readonly argv: readonly string[];
  /** An argument by which the next worker finds processes that should be dead. */
  readonly marker: string;
  readonly limits: SandboxLimits;
  /** Which limits no cgroup keeps and a resource limit must. */
  readonly byRlimit: { readonly processes: boolean; readonly memory: boolean };
  readonly parentPid: number;
  /** How the rights of the worker are put down; undefined where it has none (an ordinary user). */
  readonly root: RootSteps | undefined;
}

interface RootSteps {
  readonly uid: number;
  readonly cgroupFiles: readonly string[];
  readonly binds: readonly { readonly from: string; readonly to: string }[];
}

/**
 * The command line that ends in bubblewrap. Two processes: one that waits, and process 1 of a pid namespace around
 * bubblewrap's own, in which each step replaces the one before it (exec). So the end of the first means that the kernel has
 * removed and collected everything, daemons of the agent included; without it every command would leave a zombie to
 * process 1 of the machine, which in a container may never collect it.
 *
 * As root: join the cgroup, bind the folders to a reachable place in a private mount namespace, become the sandbox's uid for
 * good. As an ordinary user: a user namespace, in which the limit of processes counts this sandbox's alone.
 */
export function launchArgv({ tools, argv, marker, limits, byRlimit, parentPid, root }: Launch): readonly [string, ...string[]] {
  const own = root ? [] : ['--user', '--map-current-user'];
  const uid = String(root?.uid);
  return [
    ...untilParentDies(tools, parentPid, root ? [] : ['--no-new-privs']),
    ...[tools.unshare, ...own, '--mount', '--propagation', 'private', '--pid', '--fork', '--kill-child', '--mount-proc', '--'],
    ...[tools.sh, '-c', SECOND_STEP, 'skep-sandbox', tools.mount],
    ...(root?.cgroupFiles ?? []).flatMap(file => ['cgroup', file]),
    ...(root?.binds ?? []).flatMap(({ from, to }) => ['bind', from, to]),
    ...(byRlimit.processes ? ['processes', String(atMost('Max processes', limits.processCount + OWN_PROCESSES))] : []),
    ...(byRlimit.memory ? ['data', String(atMost('Max data size', limits.memoryBytes, 1024))] : []),
    'then',
    ...(root
      ? [tools.setpriv, '--reuid', uid, '--regid', uid, '--clear-groups', '--no-new-privs', '--pdeathsig', 'KILL', '--']
      : []),
    ...[tools.bwrap, '--args', String(FD.arguments), '--json-status-fd', String(FD.status), '--seccomp', String(FD.seccomp)],
    // Has no effect; it shows in the process list which sandbox this is.
    ...['--unsetenv', marker, '--', ...argv],
  ];
}

/** What stands before a command line that is not to outlive its parent, however that ends. */
export function untilParentDies(tools: Tools, parentPid: number, more: readonly string[] = []): readonly [string, ...string[]] {
  const armed = [tools.setpriv, '--pdeathsig', 'KILL', ...more, '--'] as const;
  return [...armed, ...[tools.sh, '-c', FIRST_STEP, 'skep-sandbox', String(parentPid)]];
}

/** In units of `unit` bytes. What this process itself may not have more of nobody can be given. */
export function atMost(name: string, value: number, unit = 1): number {
  const hard = new RegExp(`^${name} +\\S+ +(\\d+)`, 'm').exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
  return Math.ceil(Math.min(value, Number(hard ?? value)) / unit);
}

/** bubblewrap's monitor and its process 1 count too, and the command that starts. */
const OWN_PROCESSES = 3;

/** A worker that died before the death signal was armed is no longer our parent: then nothing is started. */
const FIRST_STEP = `
read -r _ _ _ now _ < /proc/$$/stat
[ "$now" = "$1" ] || exit 1
shift
exec "$@"`;

const SECOND_STEP = `
set -e
mount=$1
shift
ulimit -c 0
while [ "$1" = cgroup ]; do echo 0 > "$2"; shift 2; done
while [ "$1" = bind ]; do "$mount" --rbind -- "$2" "$3"; shift 3; done
if [ "$1" = processes ]; then ulimit -u "$2" 2> /dev/null || ulimit -p "$2"; shift 2; fi
if [ "$1" = data ]; then ulimit -d "$2"; shift 2; fi
shift
exec "$@"`;

/** Folders that every system has and that a sandbox does not need; covered in the private mount namespace only. */
const PLACES = ['/mnt', '/media', '/srv', '/opt', '/var/tmp'];

/** Where a folder can be bound so that any uid reaches it, without covering one of `sources`. Throws Fault `sandbox_unavailable`. */
export function reachablePlace(sources: readonly string[]): string {
  const real = sources.map(source => realpathSync(source));
  const place = PLACES.find(path => isOpen(path) && !real.some(source => `${source}/`.startsWith(`${path}/`)));
  if (place !== undefined) return place;
  throw new Fault('sandbox_unavailable', {
    message: `none of ${PLACES.join(', ')} can be used to bind the folders of a sandbox to`,
    hint: 'mkdir -m 755 /mnt',
  });
}

function isOpen(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return realpathSync(path) === path && dirname(path) !== path;
  } catch {
    return false;
  }
}
