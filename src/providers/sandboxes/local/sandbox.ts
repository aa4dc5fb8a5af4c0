import { join } from 'node:path';
import type { Clock } from '../../../kernel/clock.ts';
import { Fault, isFault } from '../../../kernel/fault.ts';
import { thisOwner } from '../../../kernel/process-owner.ts';
import type { Sandbox, SandboxCommand, SandboxExit, SandboxSpec, Snapshot } from '../../../worker/sandbox.ts';
import { createFiles } from '../files.ts';
import { checkLimits } from '../limits.ts';
import { bwrapArguments } from './arguments.ts';
import type { Disks } from './disk/index.ts';
import { diskName, hasDisk } from './disk/mounted.ts';
import { watchSize } from './disk/watch.ts';
import { execute } from './exec.ts';
import type { Execution } from './exec.ts';
import { keptName, makeFolder, removeFolder, stdinPath } from './folder.ts';
import type { Folder } from './folder.ts';
import { statsOf, usedOf } from './stats.ts';
import type { Cgroup, Cgroups } from './host/cgroups.ts';
import { killUser } from './host/owner.ts';
import { diskFault } from './host/tools.ts';
import type { Tools } from './host/tools.ts';
import type { UserIds } from './host/user-ids.ts';
import { createLanes } from './lanes.ts';
import type { Pipes } from './lanes.ts';
import { launchArgv, reachablePlace } from './launch.ts';
import { openLinks } from './links.ts';
import type { Links } from './links.ts';

/** What this machine offers to sandboxes, found once. */
export interface Host {
  readonly folder: string;
  readonly tools: Tools;
  readonly seccomp: Buffer;
  readonly clock: Clock;
  readonly inherited: readonly number[];
  readonly cgroups: Cgroups | undefined;
  /** Present when the worker is root; then each sandbox runs as an id of its own. */
  readonly userIds: UserIds | undefined;
  /** Absent where a workspace can't be a disk of its own. */
  readonly disks: Disks | undefined;
  /** Why there are none. */
  readonly noDisks: string | undefined;
  /** Whether a limit of processes set by the last step counts the sandbox's alone. */
  readonly countsProcesses: boolean;
}

/** A name on the host that tells its owner, so that nothing that a dead worker has left is taken for a live one's. */
function folderName(id: string): string {
  return `${id}~${thisOwner()}`;
}

export async function makeSandbox(host: Host, spec: SandboxSpec): Promise<Sandbox> {
  if (!/^[A-Za-z0-9-]{1,64}$/.test(spec.id))
    throw new Fault('invalid_request', { message: `"${spec.id}" is no name for a sandbox`, hint: 'letters, digits and dashes' });
  checkLimits(spec.limits);
  const path = join(host.folder, folderName(spec.id));
  const uid = host.userIds?.take();
  let cgroup: Cgroup | undefined;
  let links: Links | undefined;
  try {
    cgroup = uid === undefined ? undefined : host.cgroups?.create(String(uid), spec.limits);
    const folder = await makeFolder({ path, spec, uid, seccomp: host.seccomp, disks: host.disks });
    links = openLinks(spec.links ?? [], { sockets: folder.sockets, uid });
    await links.listening;
    return createSandbox({ host, spec, folder, uid, cgroup, links });
  } catch (error) {
    await links?.close();
    const isOthers = error instanceof Fault && error.code === 'already_exists';
    // What could not be made is what the caller must hear of; that its folder stays is for the next worker to mend.
    const traces = { host, path: isOthers ? undefined : path, uid, cgroup: cgroup ?? begun(host, uid) };
    await removeTraces(traces).catch(() => {});
    throw diskFault(error);
  }
}

/** A group whose limits could not be written is there all the same. */
function begun({ cgroups }: Host, uid: number | undefined): Cgroup | undefined {
  return uid === undefined ? undefined : cgroups?.open(String(uid));
}

interface Traces {
  readonly host: Host;
  readonly path: string | undefined;
  readonly uid: number | undefined;
  readonly cgroup: Cgroup | undefined;
}

/**
 * A user id whose files could not be removed stays taken: they would be the next sandbox's. It is given back last: the group of whoever
 * has it next is of the same name.
 */
async function removeTraces({ host, path, uid, cgroup }: Traces): Promise<void> {
  const folder = path === undefined ? undefined : removeFolder(path, host.tools);
  await Promise.allSettled([folder, cgroup?.remove()]);
  await folder;
  if (uid !== undefined) host.userIds?.release(uid);
}

export interface Made {
  readonly host: Host;
  readonly spec: SandboxSpec;
  readonly folder: Folder;
  readonly uid: number | undefined;
  readonly cgroup: Cgroup | undefined;
  readonly links: Links;
}

export function createSandbox(made: Made): Sandbox {
  const { host, spec, folder, uid, cgroup, links } = made;
  const madeAtMs = host.clock.now();
  const lanes = createLanes({ path: folder.path, uid, tools: host.tools });
  const running = new Set<Execution>();
  const { disks } = host;
  const isOnDisk = hasDisk(folder.path);
  const watch = isOnDisk ? undefined : watchSize(watched(made, () => running.forEach(({ stop }) => stop('workspace_full'))));
  let isHaunted = false;
  let gone: Promise<void> | undefined;
  let copied: Promise<Snapshot> | undefined;

  async function remove(): Promise<void> {
    await copied?.catch(() => {});
    cgroup?.kill();
    for (const execution of running) execution.stop();
    await Promise.all([...running].map(({ done }) => done.catch(() => {})));
    if (uid !== undefined) killUser(uid);
    await links.close();
    // Whoever does not end keeps its user id.
    await removeTraces({ host, path: folder.path, uid: isHaunted ? undefined : uid, cgroup });
  }

  async function exec(command: SandboxCommand): Promise<SandboxExit> {
    whileAlive();
    if (command.signal?.aborted) return { reason: 'aborted', durationMs: 0 };
    const lane = await lanes.take();
    const leave = watch?.enter();
    try {
      whileAlive();
      const execution = begin(made, { command, pipes: lane.pipes });
      running.add(execution);
      return await execution.done.finally(() => running.delete(execution));
    } catch (error) {
      // What does not end holds the pipes, and the next command would wait for its end.
      if (isFault(error, 'failed')) lane.haunt();
      isHaunted ||= isFault(error, 'failed');
      throw error;
    } finally {
      lane.give();
      leave?.();
    }
  }

  /** Without a disk of its own the workspace would have to be walked. */
  function used(): number | undefined {
    return isOnDisk && gone === undefined ? usedOf(join(folder.slot, diskName)) : undefined;
  }

  function whileAlive(): void {
    if (gone) throw new Fault('wrong_state', { message: `the sandbox ${spec.id} has been removed` });
    if (copied) throw new Fault('wrong_state', { message: `a snapshot of the sandbox ${spec.id} is being taken` });
  }

  /** On a disk that is written to meanwhile a copy would be no file system. */
  async function snapshot(disks: Disks): Promise<Snapshot> {
    whileAlive();
    if (running.size > 0) throw new Fault('wrong_state', { message: `a command runs in the sandbox ${spec.id}` });
    copied = disks.snapshot(folder.path, spec.id);
    return await copied.finally(() => void (copied = undefined));
  }

  return {
    ...{ id: spec.id, limits: spec.limits, madeAtMs, exec, files: createFiles(exec) },
    stats: () => Promise.resolve({ ...statsOf([...running].map(({ pid }) => pid)), workspaceBytes: used() }),
    ...(disks === undefined || !isOnDisk ? {} : { snapshot: () => snapshot(disks) }),
    kill: () => (gone ??= remove()),
  };
}

function watched({ folder, spec, host }: Made, onFull: () => void): Parameters<typeof watchSize>[0] {
  const folders = ['work', keptName].map(name => join(folder.slot, name));
  return { folders, bytesMax: spec.limits.workspaceBytes, clock: host.clock, du: host.tools.du, onFull };
}

interface Asked {
  readonly command: SandboxCommand;
  readonly pipes: Pipes;
}

function begin({ host, spec, folder, uid, cgroup }: Made, { command, pipes }: Asked): Execution {
  const place = uid === undefined ? folder.slot : reachablePlace([folder.slot, ...folder.binds.map(({ from }) => from)]);
  const within = (name: string) => join(place, name);
  const root = uid === undefined ? undefined : { uid, cgroupFiles: cgroup?.joins ?? [], binds: bound() };
  const has = (controller: 'pids' | 'memory') => cgroup !== undefined && host.cgroups?.controllers.includes(controller) === true;

  function bound(): { from: string; to: string }[] {
    return [{ from: folder.slot, to: place }, ...folder.binds.map(({ from, name }) => ({ from, to: within(name) }))];
  }

  try {
    return execute({
      launch: launchArgv({
        tools: host.tools,
        argv: command.argv,
        marker: marker(folder.path),
        limits: spec.limits,
        byRlimit: { processes: host.countsProcesses && !has('pids'), memory: !has('memory') },
        parentPid: process.pid,
        root,
      }),
      arguments: bwrapArguments({
        slot: place,
        binds: folder.binds.map(({ from, name, to }) => ({ source: uid === undefined ? from : within(name), to })),
        limits: spec.limits,
        keeps: spec.keeps === true,
        command,
      }),
      pipes,
      seccomp: join(folder.path, 'seccomp'),
      stdin: command.stdin === undefined ? undefined : stdinPath(folder, command.stdin, uid),
      command,
      workspaceBytesMax: spec.limits.workspaceBytes,
      cgroup,
      inherited: host.inherited,
      clock: host.clock,
    });
  } catch (error) {
    throw diskFault(error);
  }
}

/** Stands in the arguments of every process of the launch. */
export function marker(path: string): string {
  return `skep-sandbox-${path.slice(path.lastIndexOf('/') + 1)}`;
}
