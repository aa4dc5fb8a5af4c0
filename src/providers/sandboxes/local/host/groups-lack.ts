import { accessSync, constants, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { asRoot } from '../../lacks.ts';
import type { Reason } from '../../lacks.ts';
import { parseMounts } from './cgroups.ts';
import type { Cgroups, Controller } from './cgroups.ts';

const inContainer = 'a container gets cgroups that it may write by --privileged';

/** Why limits are held by no group here, though a group could. Undefined where all are. */
export function groupsLack(
  found: Pick<Cgroups, 'controllers'> | undefined,
  mounts = readFileSync('/proc/self/mounts', 'utf8'),
): Reason | undefined {
  const missing = controllers.filter(name => found?.controllers.includes(name) !== true);
  if (missing.length === 0) return undefined;
  const uid = process.geteuid?.() ?? 0;
  if (uid !== 0) return { why: `only root can make the cgroups of sandboxes, and the worker is uid ${uid}`, mend: asRoot };
  const { v1, v2 } = parseMounts(mounts);
  const place = missing.map(name => v1.get(name)).find(Boolean);
  if (place !== undefined) return unwritable(place, mounts);
  if (v2 === undefined || v1.size > 0) {
    const mend = v1.size > 0 ? mountV1(missing) : 'mount -t cgroup2 none /sys/fs/cgroup';
    return { why: `no cgroups for ${missing.join(', ')} are mounted`, mend: `${mend}; ${inContainer}` };
  }
  return found === undefined && !isWritable(v2, mounts) ? unwritable(v2, mounts) : notHandedDown(v2, missing);
}

const controllers: readonly Controller[] = ['memory', 'pids', 'cpu'];

function mountV1(missing: readonly Controller[]): string {
  return missing
    .map(name => `mkdir -p /sys/fs/cgroup/${name} && mount -t cgroup -o ${name} none /sys/fs/cgroup/${name}`)
    .join('; ');
}

function unwritable(place: string, mounts: string): Reason {
  if (isReadOnly(place, mounts))
    return { why: `the cgroups at ${place} can only be read`, mend: `mount -o remount,rw ${place}; ${inContainer}` };
  return { why: `root may make no group at ${place}`, mend: `let the worker write ${place}; ${inContainer}` };
}

/** Version 2 hands nothing down from a group that has processes of its own, but for the one at the top of the machine. */
function notHandedDown(mount: string, missing: readonly Controller[]): Reason {
  const offered = offeredAt(mount);
  const names = missing.join(', ');
  if (missing.some(name => !offered.includes(name)))
    return {
      why: `the group at ${mount} has not all of ${names}`,
      mend: 'have it handed down: in a service, Delegate=yes; on a host, cgroup_enable=memory on the command line of the kernel',
    };
  const move = `mkdir -p ${mount}/init && for p in $(cat ${mount}/cgroup.procs); do echo $p > ${mount}/init/cgroup.procs; done`;
  return { why: `${mount} hands ${names} down to no group, since processes are in it itself`, mend: move };
}

function offeredAt(mount: string): readonly string[] {
  try {
    return readFileSync(join(mount, 'cgroup.controllers'), 'utf8').trim().split(' ');
  } catch {
    return [];
  }
}

function isReadOnly(place: string, mounts: string): boolean {
  const line = mounts.split('\n').findLast(each => each.split(' ')[1] === place);
  return line?.split(' ')[3]?.split(',').includes('ro') === true;
}

function isWritable(place: string, mounts: string): boolean {
  try {
    accessSync(place, constants.W_OK);
    return !isReadOnly(place, mounts);
  } catch {
    return false;
  }
}
