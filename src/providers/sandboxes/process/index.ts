import { basename } from 'node:path';
import type { Clock } from '../../../kernel/clock.ts';
import { Fault } from '../../../kernel/fault.ts';
import type { Log } from '../../../kernel/log.ts';
import type { Lack, SandboxProvider } from '../../../worker/sandbox.ts';
import { findDisks, workspaceFact } from '../disk/index.ts';
import { createMounter } from '../disk/mounter.ts';
import { inheritedDescriptors, openHome } from '../host.ts';
import { lackOf, notEnforced } from '../lacks.ts';
import type { Worth } from '../lacks.ts';
import { findCgroups } from '../local/host/cgroups.ts';
import type { Cgroups } from '../local/host/cgroups.ts';
import { groupsLack } from '../local/host/groups-lack.ts';
import { killUser } from '../local/host/owner.ts';
import { findTools, SYSTEM_PATH } from '../local/host/tools.ts';
import { createUserIds, userIdsFolder } from '../local/host/user-ids.ts';
import { findNative, switchedOff } from '../local/native/index.ts';
import { statsBelow } from '../local/stats.ts';
import type { Home, Made } from '../started/home.ts';
import { createProvider } from '../started/provider.ts';
import { mendPrograms } from '../trial.ts';
import { launch, preambleFd } from './launch.ts';

interface Options {
  /** Absolute host folder in which sandboxes live; made with mode 0700 where it is missing. */
  readonly folder: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Where the programs of util-linux are looked for. */
  readonly path?: string;
  /** False: all that the compiled part of Skep could do is done by the system's programs. */
  readonly native?: boolean;
}

/**
 * Plain processes of this machine, which hold nothing back: a command finds its workspace where it would be in a sandbox, and beside it
 * the host's files, network and whatever else its user may reach. What it starts ends with it.
 */
export function createProcessSandboxes({ folder, clock, log, path = SYSTEM_PATH, native = true }: Options): SandboxProvider {
  const inherited = inheritedDescriptors();
  return createProvider({
    kind: 'process',
    clock,
    log,
    prepare: () => prepare({ folder, clock, path, inherited, mayUseNative: native }),
  });
}

const CLEAR_MS_MAX = 10_000;

interface Preparation {
  readonly folder: string;
  readonly clock: Clock;
  readonly path: string;
  readonly inherited: readonly number[];
  readonly mayUseNative: boolean;
}

async function prepare({ folder: wanted, clock, path, inherited, mayUseNative }: Preparation) {
  if (process.platform !== 'linux')
    throw new Fault('sandbox_unavailable', {
      message: `sandboxes as plain processes need Linux, not ${process.platform}`,
      hint: 'run the worker on another machine; the server may stay here',
    });
  const native = mayUseNative ? await findNative() : switchedOff;
  const mounter = 'path' in native ? createMounter(native.path) : undefined;
  const tools = { ...findTools(path, { without: ['bwrap'] }), mounter };
  const folder = openHome(wanted);
  const root = process.geteuid?.() === 0;
  const cgroups = root ? findCgroups(clock) : undefined;
  const home: Home = {
    ...{ folder, clock, tools, filter: Buffer.alloc(0) },
    ...(await findDisks({ folder, tools, path })),
    userIds: root ? createUserIds({ folder: userIdsFolder, home: folder }) : undefined,
    prepare: (uid, limits) => void cgroups?.create(String(uid), limits),
    ground: made => groundOf({ home, cgroups, inherited }, made),
    async clear(uid) {
      const group = cgroups?.open(String(uid));
      group?.kill();
      killUser(uid);
      await group?.remove();
    },
  };
  const worth = worthOf(home, cgroups);
  return {
    ...{ home, worth, lacks: lacksOf(home, worth, cgroups), mend: mendPrograms },
    facts: () => Promise.resolve(factsOf(home, { cgroups, root })),
    sweep: () => Promise.resolve(),
  };
}

interface Means {
  readonly home: Home;
  readonly cgroups: Cgroups | undefined;
  readonly inherited: readonly number[];
}

function groundOf(
  { home: { tools, clock }, cgroups, inherited }: Means,
  { folder, limits, keeps, uid }: Made,
): ReturnType<Home['ground']> {
  const cgroup = uid === undefined ? undefined : cgroups?.open(String(uid));
  return {
    ...{ clearMsMax: CLEAR_MS_MAX, counting: 'unknown', processesMax: undefined, preambleFd },
    fault: words =>
      new Fault('sandbox_unavailable', {
        message: `the mount namespace of a command could not be made: ${words.slice(0, 2_000) || 'it ended without a word'}`,
        hint: 'the words are those of unshare, mount or setpriv; in a container they need the right to make namespaces',
      }),
    stats: statsBelow,
    launch: start => launch({ ...start, tools, folder, limits, keeps, uid, cgroup, inherited, clock }),
  };
}

function worthOf({ disks }: Home, cgroups: Cgroups | undefined): Worth {
  // What is not apart can have its work done by others.
  const held = (controller: 'memory' | 'pids' | 'cpu') =>
    cgroups?.controllers.includes(controller) === true ? 'advisory' : 'none';
  return {
    ...{ kind: 'process', isolation: 'none', network: 'none' },
    limits: {
      memory: cgroups === undefined ? 'advisory' : held('memory'),
      ...{ processes: held('pids'), cpu: held('cpu') },
      workspace: disks === undefined ? 'advisory' : 'enforced',
      ...{ tmp: 'none', output: 'enforced', time: 'enforced' },
    },
  };
}

/** With cgroups or without: what is not apart is never more than advisory. */
function lacksOf({ noDisks }: Home, worth: Worth, cgroups: Cgroups | undefined): readonly Lack[] {
  const isUnheld = (limit: 'memory' | 'processes' | 'cpu') => worth.limits[limit] === 'none' || cgroups === undefined;
  return [
    ...lackOf([...notEnforced(worth, ['memory', 'processes', 'cpu', 'tmp']), 'network'], notApart),
    ...lackOf((['memory', 'processes', 'cpu'] as const).filter(isUnheld), groupsLack(cgroups)),
    ...lackOf(['workspace'], noDisks),
  ];
}

const notApart = {
  why: 'a plain process has /tmp and the network of its host, and can have its work done by what no limit counts',
  mend: 'SKEP_SANDBOX=local (bubblewrap), or oci (podman)',
};

function factsOf(home: Home, { cgroups, root }: { cgroups: Cgroups | undefined; root: boolean }): Record<string, string> {
  const runs_as = root ? 'a user id of its own for each sandbox' : `uid ${process.geteuid?.() ?? '?'} of the worker`;
  return {
    ...{ engine: 'plain processes: nothing is isolated', runs_as, cgroups: cgroups?.kind ?? 'none' },
    ...{ workspace: workspaceFact(home), folder: basename(home.folder) },
  };
}
