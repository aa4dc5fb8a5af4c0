import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Fault, isFault } from '../../../kernel/fault.ts';
import { thisOwner } from '../../../kernel/processes/owner.ts';
import type { Sandbox, SandboxCommand, SandboxExit, SandboxSpec } from '../../../worker/sandbox.ts';
import { createFiles } from '../files.ts';
import { checkLimits } from '../limits.ts';
import { openWorkspace } from '../disk/workspace.ts';
import { execute } from './exec.ts';
import type { Execution } from './exec.ts';
import { draftName, existsFault, makeDraft, makeFolder, nameDraft, removeFolder, stdinPath } from './folder.ts';
import type { Draft, Folder } from './folder.ts';
import { statsBelow } from './stats.ts';
import type { Cgroup } from './host/cgroups.ts';
import type { Host, Made } from './host/made.ts';
import { watchOomKills } from './host/oom.ts';
import type { OomKills } from './host/oom.ts';
import { killUser } from './host/owner.ts';
import { diskFault } from './host/tools.ts';
import { createLanes } from './lanes.ts';
import type { Lane } from './lanes.ts';
import type { Launch } from './launcher.ts';
import { openLinks } from './links.ts';
import type { Links } from './links.ts';
import { planOf } from './native/planned.ts';
import { launchPlain } from './plain/index.ts';
import { plainOf } from './plain/way.ts';
import type { Warm, WarmSandboxes } from './warm/index.ts';

/** A name on the host that tells its owner, so that nothing that a dead worker has left is taken for a live one's. */
function folderName(id: string): string {
  return `${id}~${thisOwner()}`;
}

/** Of what waits in `warm`, where it fits; else from the beginning. */
export async function makeSandbox(host: Host, spec: SandboxSpec, warm?: WarmSandboxes): Promise<Sandbox> {
  if (!/^[A-Za-z0-9-]{1,64}$/.test(spec.id))
    throw new Fault('invalid_request', { message: `"${spec.id}" is no name for a sandbox`, hint: 'letters, digits and dashes' });
  checkLimits(spec.limits);
  const path = join(host.folder, folderName(spec.id));
  // The names of this worker are nobody else's to take; what it could not remove is in the way of the last step.
  if (host.taken.has(path)) throw existsFault(spec.id);
  host.taken.add(path);
  try {
    return await host.turns(() => make(host, { ...spec, path }, warm));
  } catch (error) {
    host.taken.delete(path);
    throw error;
  }
}

type Named = SandboxSpec & { readonly path: string };

async function make(host: Host, { path, ...spec }: Named, warm: WarmSandboxes | undefined): Promise<Sandbox> {
  const ready = warm?.take(spec);
  const uid = ready?.uid ?? host.userIds?.take();
  const draft =
    host.native === undefined
      ? undefined
      : (ready ?? { path: join(host.folder, draftName()), folders: [], isOnDisk: host.disks !== undefined });
  const cgroup = ready === undefined && uid !== undefined ? host.cgroups?.open(String(uid)) : ready?.cgroup;
  let links: Links | undefined;
  try {
    const folder = await folderFor({ host, spec, uid, path, draft, isReady: ready !== undefined });
    links = openLinks(spec.links ?? [], { sockets: folder.sockets, uid });
    await links.listening;
    const made = { host, spec, folder, uid, cgroup, links };
    if (uid !== undefined) ready?.place.change(planOf(made, uid));
    return createSandbox(made, ready);
  } catch (error) {
    ready?.ends.close();
    await Promise.all([links?.close(), ready?.place.close()]);
    const isOthers = error instanceof Fault && error.code === 'already_exists';
    const left = draft !== undefined && existsSync(draft.path) ? draft.path : isOthers ? undefined : path;
    // What could not be made is what the caller must hear of; that its folder stays is for the next worker to mend.
    await removeTraces({ host, path: left, uid, cgroup }).catch(() => {});
    throw diskFault(error);
  }
}

interface Wanted {
  readonly host: Host;
  readonly spec: SandboxSpec;
  readonly uid: number | undefined;
  readonly path: string;
  readonly draft: Draft | undefined;
  readonly isReady: boolean;
}

async function folderFor({ host, spec, uid, path, draft, isReady }: Wanted): Promise<Folder> {
  const { disks, seccomp } = host;
  if (draft !== undefined && isReady) return nameDraft(draft, path, spec);
  const group = uid === undefined ? undefined : host.cgroups?.plan(String(uid), spec.limits);
  if (draft === undefined) return await makeFolder({ path, spec, uid, group, seccomp, disks });
  await makeDraft(draft.path, { spec, uid, disks, group, seccomp });
  return nameDraft(draft, path, spec);
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
  const folder = path === undefined ? undefined : removeFolder(path, host.tools, cgroup?.folders);
  await Promise.allSettled([folder]);
  await cgroup?.remove();
  await folder;
  if (uid !== undefined) host.userIds?.release(uid);
}

/** `ready`: a process waits in it for its first command already. */
export function createSandbox(made: Made, ready?: Warm): Sandbox {
  const { host, spec, folder, uid, cgroup, links } = made;
  const madeAtMs = host.clock.now();
  const running = new Set<Execution>();
  const place = ready?.place ?? (uid === undefined ? undefined : host.native?.open(planOf(made, uid)));
  const lanes = createLanes({ path: folder.path, uid, tools: host.tools, make: place?.pipes, opened: ready?.ends });
  // Only who is first waits for it to be made.
  if (place?.isReady() === false) void place.spare();
  const oomKills = watchOomKills(cgroup, ready?.oomKills);
  const launch: Launch = start => (place === undefined ? launchPlain(plainOf(made, start), start) : place.launch(start));
  const workspace = openWorkspace({
    ...{ id: spec.id, folder, bytesMax: spec.limits.workspaceBytes },
    ...{ disks: host.disks, tools: host.tools, clock: host.clock, whileAlive },
    onFull: () => running.forEach(({ stop }) => stop('workspace_full')),
  });
  let isHaunted = false;
  let gone: Promise<void> | undefined;

  async function remove(): Promise<void> {
    await workspace.settled();
    cgroup?.kill();
    for (const execution of running) execution.stop();
    await Promise.all([...running].map(({ done }) => done.catch(() => {})));
    const isEmpty = await place?.close().catch(() => {
      isHaunted = true;
      return false;
    });
    if (uid !== undefined && isEmpty !== true) killUser(uid);
    lanes.close();
    await links.close();
    // Whoever does not end keeps its user id.
    await removeTraces({ host, path: folder.path, uid: isHaunted ? undefined : uid, cgroup });
    host.taken.delete(folder.path);
  }

  async function exec(command: SandboxCommand): Promise<SandboxExit> {
    whileAlive();
    if (command.signal?.aborted) return { reason: 'aborted', durationMs: 0 };
    return await workspace.during(() => inLane(command));
  }

  async function inLane(command: SandboxCommand): Promise<SandboxExit> {
    const lane = lanes.take();
    try {
      if (!lane.isMade()) await lane.make();
      whileAlive();
      const execution = begin(made, { command, lane, launch, oomKills });
      running.add(execution);
      return await execution.done.finally(() => ended(execution));
    } catch (error) {
      // What does not end holds the pipes, and the next command would wait for its end.
      if (isFault(error, 'failed')) lane.haunt();
      isHaunted ||= isFault(error, 'failed');
      throw error;
    } finally {
      lane.give();
    }
  }

  function ended(execution: Execution): void {
    running.delete(execution);
    if (gone === undefined) void place?.spare();
  }

  function whileAlive(): void {
    if (gone) throw new Fault('wrong_state', { message: `the sandbox ${spec.id} has been removed` });
  }

  return {
    ...{ id: spec.id, limits: spec.limits, madeAtMs, exec, files: createFiles(exec) },
    stats: () =>
      Promise.resolve({ ...statsBelow([...running].map(({ init }) => init())), workspaceBytes: workspace.usedBytes() }),
    ...(workspace.snapshot === undefined ? {} : { snapshot: workspace.snapshot }),
    kill: () => (gone ??= remove()),
  };
}

interface Asked {
  readonly command: SandboxCommand;
  readonly lane: Lane;
  readonly launch: Launch;
  readonly oomKills: OomKills;
}

function begin({ host, spec, folder, uid }: Made, asked: Asked): Execution {
  const { command } = asked;
  try {
    return execute({
      ...{ ...asked, clock: host.clock },
      stdin: command.stdin === undefined ? undefined : stdinPath(folder, command.stdin, uid),
      workspaceBytesMax: spec.limits.workspaceBytes,
    });
  } catch (error) {
    throw diskFault(error);
  }
}
