import { basename } from 'node:path';
import type { Clock } from '../../../kernel/clock.ts';
import { Fault } from '../../../kernel/fault.ts';
import type { Log } from '../../../kernel/log.ts';
import type { Lack, SandboxProvider, SandboxSpec, Settle } from '../../../worker/sandbox.ts';
import { findCgroups } from './host/cgroups.ts';
import { groupsLack } from './host/groups-lack.ts';
import { findDisks, workspaceFact } from '../disk/index.ts';
import { createMounter } from '../disk/mounter.ts';
import { lackOf, notEnforced } from '../lacks.ts';
import type { Worth } from '../lacks.ts';
import { checkLimits, countsPerNamespace } from '../limits.ts';
import { inheritedDescriptors, openHome } from '../host.ts';
import { createLiving } from '../living.ts';
import { createSnapshots } from '../snapshots.ts';
import { mendPrograms, refusalOf, tryOut } from '../trial.ts';
import { findTools, run, SYSTEM_PATH } from './host/tools.ts';
import { createStock } from './host/stock.ts';
import { createUserIds, userIdsFolder } from './host/user-ids.ts';
import { reap } from '../orphans.ts';
import type { Place } from '../orphans.ts';
import { adoptSandbox } from './adopt.ts';
import { killMarked, killUser } from './host/owner.ts';
import { marker } from './host/made.ts';
import type { Host } from './host/made.ts';
import { openNative, switchedOff } from './native/index.ts';
import { makeSandbox } from './sandbox.ts';
import { createTurns } from '../../../kernel/turns.ts';
import { createWarm } from './warm/index.ts';
import type { WarmSandboxes } from './warm/index.ts';
import { seccompProgram } from './seccomp/program.ts';

interface Options {
  /** Absolute host folder in which sandboxes live; made with mode 0700 where it is missing. */
  readonly folder: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Where bwrap and the programs of util-linux are looked for. */
  readonly path?: string;
  /** False: never by the compiled part, also where it is there. */
  readonly native?: boolean;
}

/** Sandboxes on this machine by bubblewrap: docs/sandbox.md tells what they hold back and what not. */
export function createLocalSandboxes({ folder, clock, log, path = SYSTEM_PATH, native = true }: Options): SandboxProvider {
  const inherited = inheritedDescriptors();
  const living = createLiving();
  let prepared: Promise<Host> | undefined;
  let proven: Promise<void> | undefined;
  let warm: WarmSandboxes | undefined;
  let snapshots: ReturnType<typeof createSnapshots> | undefined;

  /** What was found is kept; what was missing is looked for again. */
  function host(): Promise<Host> {
    prepared ??= prepare({ folder, clock, path, inherited, native, log }).catch((error: unknown) => {
      prepared = undefined;
      throw error;
    });
    return prepared;
  }

  function warmIn(place: Host): WarmSandboxes | undefined {
    warm ??= place.native === undefined ? undefined : createWarm(place, place.native, log);
    return warm;
  }

  const snapshotsIn = (place: Host) => (snapshots ??= createSnapshots(place.folder));

  /** One real sandbox before the first one that is asked for, so that a machine which cannot make any says so at once. */
  function proof(): Promise<void> {
    proven ??= host()
      .then(place => tryOut(spec => makeSandbox(place, spec), mendPrograms))
      .catch((error: unknown) => {
        proven = undefined;
        throw error;
      });
    return proven;
  }

  return {
    kind: 'local',
    async probe() {
      try {
        proven = undefined;
        await proof();
        const place = await host();
        const worth = worthOf(place);
        return { ok: true, worth, facts: await factsOf(place), lacks: lacksOf(place, worth) };
      } catch (error) {
        return refusalOf(error);
      }
    },
    async create(spec) {
      await proof();
      const place = await host();
      const create = (each: SandboxSpec) => makeSandbox(place, each, warmIn(place));
      return living.add(await snapshotsIn(place).on(place.disks, create)(spec));
    },
    list: living.list,
    get: living.get,
    kept: async () => snapshotsIn(await host()).kept((await host()).disks),
    layers: async () => (await host().catch(() => undefined))?.disks?.canStack === true,
    async prewarm(limits, count) {
      checkLimits(limits);
      const place = await host().catch(() => undefined);
      if (place === undefined) return;
      // Without the compiled part it is their disks that are made before.
      const warmed = warmIn(place);
      if (warmed === undefined) await place.disks?.prepare(limits.workspaceBytes, count);
      else await warmed.want(limits, count);
    },
    async reapOrphans(settle = removeAll) {
      const place = await host();
      place.disks?.reap();
      const count = await reap(orphanage(place), settle, log);
      if (count > 0) log.info({ count }, 'removed sandboxes that dead workers had left');
      return count;
    },
  };
}

function orphanage(host: Host): Place {
  return {
    ...host,
    end: name => killMarked(marker(name)),
    adopt: left => adoptSandbox(host, left),
    async clear(uid) {
      const group = host.cgroups?.open(String(uid));
      group?.kill();
      killUser(uid);
      await group?.remove();
    },
  };
}

const removeAll: Settle = () => Promise.resolve('remove');

/** More would wait for each other in the kernel, and whoever was first be the last to be done. */
const madeAtOnceMax = 16;

interface Preparation {
  readonly folder: string;
  readonly clock: Clock;
  readonly path: string;
  readonly inherited: readonly number[];
  readonly native: boolean;
  readonly log: Log;
}

async function prepare({ folder, clock, path, inherited, native, log }: Preparation): Promise<Host> {
  const seccomp = seccompProgram(process.arch);
  if (process.platform !== 'linux' || seccomp === undefined)
    throw new Fault('sandbox_unavailable', {
      message: `bubblewrap sandboxes need Linux on x86-64 or arm64, not ${process.platform} on ${process.arch}`,
      hint: 'run the worker on another machine; the server may stay here',
    });
  const plain = findTools(path);
  const place = openHome(folder);
  const root = process.geteuid?.() === 0;
  const launcher = native ? await openNative({ seccomp, clock, log }) : switchedOff;
  const tools = 'why' in launcher ? plain : { ...plain, mounter: createMounter(launcher.path) };
  return {
    ...(await findDisks({ folder: place, tools, path })),
    folder: place,
    tools,
    seccomp,
    clock,
    inherited,
    turns: createTurns({ atOnceMax: madeAtOnceMax }),
    taken: new Set(),
    ...('why' in launcher ? { native: undefined, noNative: launcher } : { native: launcher, noNative: undefined }),
    cgroups: root ? findCgroups(clock) : undefined,
    userIds: root ? createStock(createUserIds({ folder: userIdsFolder, home: place })) : undefined,
    countsProcesses: root || countsPerNamespace(),
  };
}

function worthOf({ cgroups, countsProcesses, disks }: Host): Worth {
  const byGroup = (controller: 'memory' | 'pids' | 'cpu') => cgroups?.controllers.includes(controller) === true;
  return {
    ...{ kind: 'local', isolation: 'namespaces', network: 'enforced' },
    limits: {
      memory: byGroup('memory') ? 'enforced' : 'advisory',
      processes: byGroup('pids') || countsProcesses ? 'enforced' : 'none',
      cpu: byGroup('cpu') ? 'enforced' : 'none',
      workspace: disks === undefined ? 'advisory' : 'enforced',
      ...{ tmp: 'enforced', output: 'enforced', time: 'enforced' },
    },
  };
}

function lacksOf({ cgroups, noDisks, noNative }: Host, worth: Worth): readonly Lack[] {
  return [
    ...lackOf(notEnforced(worth, ['memory', 'processes', 'cpu']), groupsLack(cgroups)),
    ...lackOf(['workspace'], noDisks),
    ...lackOf(['launcher'], noNative),
  ];
}

async function factsOf(host: Host): Promise<Record<string, string>> {
  const { folder, tools, cgroups, userIds } = host;
  return {
    engine: await run(tools.bwrap, ['--version']),
    runs_as: userIds ? 'a user id of its own for each sandbox' : `uid ${process.geteuid?.() ?? '?'} of the worker`,
    cgroups: cgroups?.kind ?? 'none',
    launcher: host.noNative === undefined ? 'native' : `plain: ${host.noNative.why}`,
    workspace: workspaceFact(host),
    folder: basename(folder),
  };
}
