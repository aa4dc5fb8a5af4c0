import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../../../kernel/clock.ts';
import { Fault } from '../../../../kernel/fault.ts';
import { allPids } from '../../../../kernel/processes/info.ts';

/** What of a sandbox that lives can be seen on the host, so that it can be seen to be gone. */
export interface Traces {
  /** Processes that bear its name, and all in their pid namespaces. */
  readonly pids: readonly number[];
  /** Groups of these that are not this process's own. */
  readonly cgroups: readonly string[];
  /** The user ids that they run as, where that is not this process's own. */
  readonly uids: readonly number[];
}

/** Of the sandbox `id`, in whose arguments it stands. */
export function tracesOf(id: string): Traces {
  const named = allPids().filter(pid => pid !== process.pid && read(`/proc/${pid}/cmdline`).includes(id));
  const spaces = new Set(named.map(pidSpace).filter(space => space !== undefined && space !== pidSpace(process.pid)));
  const pids = [...new Set([...named, ...allPids().filter(pid => spaces.has(pidSpace(pid)))])];
  const own = new Set(groupsOf(process.pid));
  const uids = [...new Set(pids.flatMap(uidOf))].filter(uid => uid !== process.geteuid?.());
  return { pids, uids, cgroups: [...new Set(pids.flatMap(groupsOf))].filter(group => !own.has(group)) };
}

const goneMsMax = 10_000;

interface Around {
  readonly traces: Traces;
  readonly home: string;
  readonly clock: Clock;
}

/**
 * Resolves when nothing of it is left: processes, groups, mounts, files under `home`, its user id; false where that was so at the first
 * look. Throws Fault `failed` with what stays.
 */
export async function untilGone(id: string, { traces, home, clock }: Around): Promise<boolean> {
  const until = clock.mono() + goneMsMax;
  for (let looks = 1; ; looks++) {
    const left = leftOf(id, traces, home);
    if (left.length === 0) return looks > 1;
    if (clock.mono() > until)
      throw new Fault('failed', { message: `of a sandbox that was killed there is left: ${left.join(', ')}` });
    await clock.sleep(1);
  }
}

function leftOf(id: string, { pids, cgroups, uids }: Traces, home: string): string[] {
  return [
    ...pids.filter(pid => existsSync(`/proc/${pid}`)).map(pid => `process ${pid}`),
    ...cgroups.filter(group => existsSync(group)),
    ...(read('/proc/self/mountinfo').includes(id) ? ['a mount'] : []),
    ...foldersIn(home).filter(path => path.includes(id)),
    ...(uids.length === 0
      ? []
      : allPids()
          .filter(pid => uidOf(pid).some(uid => uids.includes(uid)))
          .map(pid => `process ${pid}`)),
  ];
}

/** What lies in the folder of each kind. */
function foldersIn(home: string): string[] {
  return namesIn(home).flatMap(kind => namesIn(join(home, kind)).map(name => join(home, kind, name)));
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function pidSpace(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`);
  } catch {
    return undefined;
  }
}

/** The user on the host that it is for good; a process that is gone has none. */
function uidOf(pid: number): number[] {
  const uid = /^Uid:\s*(\d+)/m.exec(read(`/proc/${pid}/status`))?.[1];
  return uid === undefined ? [] : [Number(uid)];
}

/** Folders of its groups, where they are mounted here. */
function groupsOf(pid: number): string[] {
  return read(`/proc/${pid}/cgroup`)
    .split('\n')
    .flatMap(line => {
      const [, controllers = '', ...path] = line.split(':');
      const mount = cgroupMount(controllers);
      const folder = mount === undefined ? undefined : join(mount, path.join(':'));
      return folder !== undefined && existsSync(folder) ? [folder] : [];
    });
}

function cgroupMount(controllers: string): string | undefined {
  const asked = controllers.split(',')[0] ?? '';
  const mounts = read('/proc/self/mounts')
    .split('\n')
    .map(line => line.split(' '));
  const isIt = ([, , type, options = '']: string[]) =>
    asked === '' ? type === 'cgroup2' : type === 'cgroup' && options.split(',').includes(asked);
  return mounts.find(isIt)?.[1];
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
