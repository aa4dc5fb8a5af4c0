import { spawnSync } from 'node:child_process';
import { existsSync, rmdirSync, rmSync } from 'node:fs';
import { freemem } from 'node:os';
import { dirname, join } from 'node:path';
import { identityNow } from '../../../../kernel/identity.ts';
import type { Log } from '../../../../kernel/log.ts';
import type { SandboxLimits, SandboxSpec } from '../../../../worker/sandbox.ts';
import { diskName, isMounted } from '../../disk/mounted.ts';
import { draftName, makeDraft, removeFolder, sameFolders, showInDraft } from '../folder.ts';
import type { Cgroup } from '../host/cgroups.ts';
import type { Host } from '../host/made.ts';
import { pipesOf } from '../lanes.ts';
import { openEnds } from '../output.ts';
import type { Ends } from '../output.ts';
import type { Native, Place } from '../native/launcher.ts';
import { planOf } from '../native/planned.ts';
import { createPool } from './pool.ts';

/** A sandbox that nobody has asked for yet: its folder, disk, user id and group, and in it a process that waits for a command. */
export interface Warm {
  readonly path: string;
  readonly uid: number;
  readonly cgroup: Cgroup | undefined;
  readonly place: Place;
  /** How many the kernel had killed in its group for want of memory when it was made. */
  readonly oomKills: number;
  readonly isOnDisk: boolean;
  /** What it shows already. */
  readonly folders: readonly Shown[];
  /** What its first command will print to. */
  readonly ends: Ends;
}

type Shown = SandboxSpec['folders'][number] & { readonly identity: string | undefined };

export interface WarmSandboxes {
  /** One for this spec, the caller's from now on, where one waits. */
  take(spec: SandboxSpec): Warm | undefined;
  /** Has `count` of them wait. Resolves when they do, or can't. Never throws. */
  want(limits: SandboxLimits, count: number): Promise<void>;
}

/** What one that waits is taken to need: 0.1 MB of processes (`skep bench sandbox`), and what the kernel keeps for it, which is not measured. */
const bytesEachMax = 2 ** 20;
const bytesMax = 128 * 2 ** 20;
/** Less must not become of what is free. */
const freeBytesMin = 256 * 2 ** 20;

interface Shape {
  readonly limits: SandboxLimits;
  readonly keeps: boolean;
  readonly folders: SandboxSpec['folders'];
}

export function createWarm(host: Host, native: Native, log: Log): WarmSandboxes {
  /** Agents that keep a conversation and those that don't: what was asked for last comes again. */
  let keeps = false;
  /** Of a project and its agent: what was asked for twice comes again. To show something else is to begin with another process. */
  let folders: SandboxSpec['folders'] = [];
  let areAgain = false;
  let isLast = false;
  const pool = createPool<Shape, Warm>({
    make: shape => makeWarm(host, native, shape),
    remove: warm =>
      removeWarm(host, warm).catch((error: unknown) => {
        log.warn({ error: String(error) }, 'a sandbox that nobody asked for could not be removed; the next worker does it');
      }),
    isSame: (one, other) => one.keeps === other.keeps && sameLimits(one.limits, other.limits),
    // To put folders into what shows none is quicker than to begin another process for what shows others.
    rank: (one, other) => (sameFolders(one.folders, other.folders) ? 0 : one.folders.length === 0 ? 1 : 2),
    isWell: ({ path, place, folders: shown }) =>
      place.isReady() && existsSync(join(path, 'slot', 'work')) && shown.every(isThere),
    hasRoom: () => freemem() > freeBytesMin,
    countMax: Math.floor(bytesMax / bytesEachMax),
    clock: host.clock,
  });
  return {
    take(spec) {
      keeps = spec.keeps === true;
      areAgain = sameFolders(folders, spec.folders);
      folders = spec.folders;
      // What begins as a snapshot has another disk.
      return (spec.from ?? []).length > 0 ? undefined : pool.take({ limits: spec.limits, keeps, folders });
    },
    want(limits, count) {
      if (!isLast) process.once('exit', () => pool.items().forEach(warm => dropWarm(host, warm)));
      isLast = true;
      return pool.want({ limits, keeps, folders: areAgain ? folders : [] }, count);
    },
  };
}

function sameLimits(some: SandboxLimits, others: SandboxLimits): boolean {
  return some === others || (Object.keys(some) as (keyof SandboxLimits)[]).every(name => some[name] === others[name]);
}

/** Of what it shows it is the same still that lies there: a folder that was made again under its name is another. */
const isThere = ({ from, identity }: Shown): boolean => identity !== undefined && identityNow(from) === identity;

async function makeWarm(host: Host, native: Native, { limits, keeps, folders: wanted }: Shape): Promise<Warm> {
  // Where one of them is gone, those who show something else need not wait for it.
  const folders = wanted.every(({ from }) => identityNow(from) !== undefined) ? wanted : [];
  const path = join(host.folder, draftName());
  const { userIds, cgroups, disks, seccomp } = host;
  const uid = userIds?.take();
  if (uid === undefined) throw new Error('only root has sandboxes that wait');
  let place: Place | undefined;
  let ends: Ends | undefined;
  try {
    const cgroup = cgroups?.open(String(uid));
    const group = cgroups?.plan(String(uid), limits);
    const spec = { id: 'ready', limits, keeps, files: [], folders };
    await makeDraft(path, { spec, uid, disks, group, seccomp });
    // What lies there is looked at before it is shown: what takes its place meanwhile is then another.
    const shown = folders.map(each => ({ ...each, identity: identityNow(each.from) }));
    const isOnDisk = disks !== undefined;
    const folder = showInDraft({ path, isOnDisk }, spec);
    place = native.open(planOf({ host, spec, folder, cgroup }, uid));
    if (!existsSync(pipesOf(path, 0).stderr)) await place.pipes(pipesOf(path, 0));
    if (!(await place.spare())) throw new Error('no process waits in it');
    ends = openEnds(pipesOf(path, 0));
    ends.wait();
    return { path, uid, cgroup, place, oomKills: cgroup?.oomKills() ?? 0, isOnDisk, folders: shown, ends };
  } catch (error) {
    ends?.close();
    await place?.close();
    await removed(host, { path, uid, cgroup: cgroups?.open(String(uid)) }).catch(() => {});
    throw error;
  }
}

async function removeWarm(host: Host, warm: Warm): Promise<void> {
  warm.ends.close();
  await warm.place.close();
  await removed(host, warm);
}

/** As of any sandbox: a user id whose files could not be removed stays taken. */
async function removed(host: Host, { path, uid, cgroup }: Pick<Warm, 'path' | 'uid' | 'cgroup'>): Promise<void> {
  await removeFolder(path, host.tools, cgroup?.folders);
  await cgroup?.remove();
  host.userIds?.release(uid);
}

/** In the last moment of this process, in which nothing can be waited for; what stays is for the next worker. The id last, as of any. */
function dropWarm(host: Host, { path, uid, cgroup }: Warm): void {
  try {
    cgroup?.kill();
    if (isMounted(path)) spawnSync(host.tools.umount, ['--lazy', '--', join(path, 'slot', diskName)]);
    rmSync(path, { recursive: true, force: true });
    for (const file of cgroup?.joins ?? []) rmdirSync(dirname(file));
    host.userIds?.release(uid);
  } catch {
    // The group may still hold a process that is about to end.
  }
}
