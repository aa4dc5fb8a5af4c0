import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../../../kernel/clock.ts';
import type { SandboxLimits } from '../../../../worker/sandbox.ts';

const CONTROLLERS = ['memory', 'pids', 'cpu'] as const;
export type Controller = (typeof CONTROLLERS)[number];

/** What of cgroups can be written here; a limit whose controller is missing is not enforced. */
export interface Cgroups {
  /** `hybrid`: the limits by version 1, and killed by version 2, which is mounted beside it. */
  readonly kind: 'v1' | 'hybrid' | 'v2';
  readonly controllers: readonly Controller[];
  /** Makes the group `name` with the limits. */
  create(name: string, limits: SandboxLimits): Cgroup;
  /** What `create` does, for whoever does it by other means or at another time. */
  plan(name: string, limits: SandboxLimits): GroupPlan;
  /** The group `name` that another worker made. */
  open(name: string): Cgroup;
}

export interface GroupPlan {
  readonly folders: readonly string[];
  /** What is written to which file, in this order. */
  readonly settings: Settings;
  make(): void;
}

export interface Cgroup {
  /** Where it is, in each hierarchy. */
  readonly folders: readonly string[];
  /** Files that a process writes 0 to, before it starts anything, to be in the group. */
  readonly joins: readonly string[];
  /** Kills all in the group at once, where the kernel can (version 2). */
  kill(): void;
  /** How many processes the kernel has killed for want of memory since the group was made. */
  oomKills(): number;
  /** Removes the group; waits up to 2 seconds for its last process to be gone. */
  remove(): Promise<void>;
}

/** bubblewrap's monitor, its process 1 and the launcher stand in the group too and are not the agent's. */
const OWN_PROCESSES = 3;
const CPU_PERIOD_US = 100_000;
/** More the kernel takes for no number of them; no machine has so many. */
const PROCESSES_MAX = 4_194_304;
const CPUS_MAX = 10_000;
const OURS = 'skep';

/** Undefined where no controller can be written: an ordinary user, a container with a read-only /sys/fs/cgroup. */
export function findCgroups(clock: Clock, mounts = readFileSync('/proc/self/mounts', 'utf8')): Cgroups | undefined {
  const { v1, v2 } = parseMounts(mounts);
  const found = new Map<Controller, string>();
  for (const controller of CONTROLLERS) {
    const mount = v1.get(controller);
    if (mount !== undefined && writable(mount)) found.set(controller, join(mount, OURS));
  }
  const ours = v2 !== undefined && writable(v2) ? join(v2, OURS) : undefined;
  // A machine that has both versions keeps its controllers in the first.
  if (found.size > 0) {
    const killing = ours !== undefined && existsSync(join(ours, KILL)) ? ours : undefined;
    return createCgroups({ kind: killing === undefined ? 'v1' : 'hybrid', found, killing, clock });
  }
  if (v2 === undefined || ours === undefined) return undefined;
  for (const controller of delegate(v2)) found.set(controller, ours);
  return found.size > 0 ? createCgroups({ kind: 'v2', found, killing: ours, clock }) : undefined;
}

/** Kills all in a group and below it at once, also what is being forked; since Linux 5.14. */
const KILL = 'cgroup.kill';

interface Places {
  readonly kind: Cgroups['kind'];
  readonly found: ReadonlyMap<Controller, string>;
  /** Of version 2, where groups can be killed. */
  readonly killing: string | undefined;
  readonly clock: Clock;
}

/**
 * A process that writes 0 moves itself. By `tasks` of version 1 that takes no lock of the whole kernel; by cgroup.procs it
 * does, and on a busy machine each such move waits some milliseconds for it.
 */
const JOIN = { v1: 'tasks', v2: 'cgroup.procs' } as const;

function createCgroups({ kind, found, killing, clock }: Places): Cgroups {
  const parents = [...new Set([...found.values(), ...(killing === undefined ? [] : [killing])])];
  const isV1 = kind !== 'v2';
  const at = (controller: Controller, name: string) => join(found.get(controller) ?? '/nowhere', name);

  function open(name: string): Cgroup {
    const folders = parents.map(parent => join(parent, name));
    return {
      folders,
      joins: parents.map(parent => join(parent, name, JOIN[isV1 && parent !== killing ? 'v1' : 'v2'])),
      kill() {
        if (killing !== undefined) attempt(() => writeFileSync(join(killing, name, KILL), '1'));
      },
      oomKills() {
        const file = join(at('memory', name), isV1 ? 'memory.oom_control' : 'memory.events');
        return Number(/^oom_kill (\d+)/m.exec(readOr(file))?.[1] ?? 0);
      },
      async remove() {
        const until = clock.mono() + 2000;
        for (const folder of folders)
          while (existsSync(folder) && !attempt(() => rmdirSync(folder)) && clock.mono() < until) await clock.sleep(2);
      },
    };
  }

  function plan(name: string, limits: SandboxLimits): GroupPlan {
    const of = (controller: Controller, values: Settings): Settings =>
      found.has(controller) ? values.map(([file, value]) => [join(at(controller, name), file), value]) : [];
    const processes = Math.min(limits.processCount + OWN_PROCESSES, PROCESSES_MAX);
    const quotaUs = Math.max(1000, Math.round(Math.min(limits.cpuCount, CPUS_MAX) * CPU_PERIOD_US));
    // A group has the files that the one above it has.
    const hasFile = (file: string): boolean =>
      [found.get('memory') ?? '/nowhere', at('memory', name)].some(folder => existsSync(join(folder, file)));
    const folders = parents.map(each => join(each, name));
    const settings = [
      ...of('pids', [['pids.max', processes]]),
      ...of('memory', (isV1 ? memoryV1 : memoryV2)(limits.memoryBytes, hasFile)),
      ...of('cpu', isV1 ? cpuV1(quotaUs) : [['cpu.max', `${quotaUs} ${CPU_PERIOD_US}`]]),
    ];
    return {
      folders,
      settings,
      make() {
        for (const folder of folders) make(folder);
        for (const [file, value] of settings) writeFileSync(file, String(value));
      },
    };
  }

  return {
    kind,
    controllers: [...found.keys()],
    open,
    plan,
    create(name, limits) {
      plan(name, limits).make();
      return open(name);
    },
  };
}

type Settings = readonly (readonly [file: string, value: number | string])[];

function cpuV1(quotaUs: number): Settings {
  return [
    ['cpu.cfs_period_us', CPU_PERIOD_US],
    ['cpu.cfs_quota_us', quotaUs],
  ];
}

/** Memory and swap together; a kernel without swap accounting lacks the second file. The group may exist with a higher or a lower limit. */
function memoryV1(bytes: number, hasFile: (file: string) => boolean): Settings {
  const swap = 'memory.memsw.limit_in_bytes';
  const lift: Settings = hasFile(swap) ? [[swap, -1]] : [];
  return [...lift, ['memory.limit_in_bytes', bytes], ...lift.map(() => [swap, bytes] as const)];
}

function memoryV2(bytes: number, hasFile: (file: string) => boolean): Settings {
  return [['memory.max', bytes], ...(hasFile('memory.swap.max') ? [['memory.swap.max', 0] as const] : [])];
}

export function parseMounts(mounts: string): { v1: ReadonlyMap<Controller, string>; v2: string | undefined } {
  const v1 = new Map<Controller, string>();
  let v2: string | undefined;
  for (const line of mounts.split('\n')) {
    const [, place = '', type, options = ''] = line.split(' ');
    if (type === 'cgroup2') v2 ??= place;
    if (type === 'cgroup') for (const name of CONTROLLERS) if (options.split(',').includes(name)) v1.set(name, place);
  }
  return { v1, v2 };
}

/**
 * Version 2 hands a controller down level by level. What the kernel refuses (at a root with processes, as in a container) is
 * left out: cgroup.controllers of our group names what has come down to it.
 */
function delegate(mount: string): Controller[] {
  const ours = join(mount, OURS);
  for (const name of CONTROLLERS) attempt(() => writeFileSync(join(mount, 'cgroup.subtree_control'), `+${name}`));
  const come = readOr(join(ours, 'cgroup.controllers')).trim().split(' ');
  return CONTROLLERS.filter(
    name => come.includes(name) && attempt(() => writeFileSync(join(ours, 'cgroup.subtree_control'), `+${name}`)),
  );
}

function writable(mount: string): boolean {
  return attempt(() => make(join(mount, OURS))) && canMake(join(mount, OURS));
}

/** Not `recursive`: where the kernel answers ENOENT to a mkdir, as in a group that is being removed, Node would try for ever. */
function make(folder: string): void {
  if (!existsSync(folder)) mkdirSync(folder);
}

/** An existing folder of root's says nothing of our right to write there. */
function canMake(folder: string): boolean {
  const trial = join(folder, `trial-${process.pid}`);
  return attempt(() => mkdirSync(trial)) && attempt(() => rmdirSync(trial));
}

function attempt(act: () => void): boolean {
  try {
    act();
    return true;
  } catch {
    return false;
  }
}

function readOr(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
