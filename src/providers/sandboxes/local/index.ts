import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { release } from 'node:os';
import { basename } from 'node:path';
import type { Clock } from '../../../kernel/clock.ts';
import { Fault } from '../../../kernel/fault.ts';
import type { Log } from '../../../kernel/log.ts';
import type { SandboxLimits, SandboxProbe, SandboxProvider, SandboxSpec, Settle } from '../../../worker/sandbox.ts';
import { findCgroups } from './host/cgroups.ts';
import { findDisks } from './disk/index.ts';
import { checkLimits } from '../limits.ts';
import { createLiving } from '../living.ts';
import { createSnapshots } from '../snapshots.ts';
import { diskFault, findTools, run, SYSTEM_PATH } from './host/tools.ts';
import { createUserIds } from './host/user-ids.ts';
import { reap } from '../orphans.ts';
import type { Place } from '../orphans.ts';
import { adoptSandbox } from './adopt.ts';
import { killMarked, killUser } from './host/owner.ts';
import { makeSandbox, marker } from './sandbox.ts';
import type { Host } from './sandbox.ts';
import { seccompProgram } from './seccomp/program.ts';

interface Options {
  /** Absolute host folder in which sandboxes live; made with mode 0700 where it is missing. */
  readonly folder: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Where bwrap and the programs of util-linux are looked for. */
  readonly path?: string;
}

/** Sandboxes on this machine by bubblewrap: docs/sandbox.md tells what they hold back and what not. */
export function createLocalSandboxes({ folder, clock, log, path = SYSTEM_PATH }: Options): SandboxProvider {
  const inherited = inheritedDescriptors();
  const living = createLiving();
  let prepared: Promise<Host> | undefined;
  let proven: Promise<void> | undefined;
  let snapshots: ReturnType<typeof createSnapshots> | undefined;

  /** What was found is kept; what was missing is looked for again. */
  function host(): Promise<Host> {
    prepared ??= prepare({ folder, clock, path, inherited }).catch((error: unknown) => {
      prepared = undefined;
      throw error;
    });
    return prepared;
  }

  /** One real sandbox before the first one that is asked for, so that a machine which cannot make any says so at once. */
  function proof(): Promise<void> {
    proven ??= tryOut().catch((error: unknown) => {
      proven = undefined;
      throw error;
    });
    return proven;
  }

  async function tryOut(): Promise<void> {
    const sandbox = await makeSandbox(await host(), {
      id: `probe-${randomBytes(4).toString('hex')}`,
      limits: PROBE_LIMITS,
      files: [],
      folders: [],
    });
    try {
      const exit = await sandbox.exec({ argv: ['true'], timeoutMs: 10_000, outputBytesMax: 65_536, onOutput: () => {} });
      if (exit.reason !== 'exited' || exit.code !== 0)
        throw new Fault('sandbox_unavailable', { message: `"true" in a sandbox ended by ${JSON.stringify(exit)}` });
    } finally {
      await sandbox.kill();
    }
  }

  return {
    kind: 'local',
    async probe() {
      try {
        proven = undefined;
        await proof();
        return { ok: true, worth: worthOf(await host()), facts: await factsOf(await host()) };
      } catch (error) {
        return refusal(error);
      }
    },
    async create(spec) {
      await proof();
      const place = await host();
      const create = (each: SandboxSpec) => makeSandbox(place, each);
      // On a disk it is the disk that is copied.
      snapshots ??= createSnapshots(place.folder);
      return living.add(await (place.disks === undefined ? snapshots.creating(create) : create)(spec));
    },
    list: living.list,
    get: living.get,
    async prewarm(limits, count) {
      checkLimits(limits);
      await (await host().catch(() => undefined))?.disks?.prepare(limits.workspaceBytes, count);
    },
    async reapOrphans(settle = removeAll) {
      const place = await host();
      place.disks?.reap();
      const count = await reap(orphanage(place), settle);
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

const PROBE_LIMITS: SandboxLimits = {
  memoryBytes: 256 * 2 ** 20,
  processCount: 16,
  cpuCount: 1,
  tmpBytes: 2 ** 20,
  workspaceBytes: 16 * 2 ** 20,
};
const USER_IDS = '/run/skep/sandbox-uids';

interface Preparation {
  readonly folder: string;
  readonly clock: Clock;
  readonly path: string;
  readonly inherited: readonly number[];
}

async function prepare({ folder, clock, path, inherited }: Preparation): Promise<Host> {
  const seccomp = seccompProgram(process.arch);
  if (process.platform !== 'linux' || seccomp === undefined)
    throw new Fault('sandbox_unavailable', {
      message: `bubblewrap sandboxes need Linux on x86-64 or arm64, not ${process.platform} on ${process.arch}`,
      hint: 'run the worker on another machine; the server may stay here',
    });
  const tools = findTools(path);
  const place = openFolder(folder);
  const root = process.geteuid?.() === 0;
  const disks = await findDisks({ folder: place, tools, path });
  return {
    ...('why' in disks ? { disks: undefined, noDisks: disks.why } : { disks, noDisks: undefined }),
    folder: place,
    tools,
    seccomp,
    clock,
    inherited,
    cgroups: root ? findCgroups(clock) : undefined,
    userIds: root ? createUserIds({ folder: USER_IDS }) : undefined,
    countsProcesses: root || countsPerNamespace(release()),
  };
}

/** Where it leads: an operator may have put it on another disk. */
function openFolder(folder: string): string {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const place = realpathSync(folder);
    chmodSync(place, 0o700);
    readdirSync(place);
    return place;
  } catch (error) {
    if (diskFault(error) !== error) throw diskFault(error);
    throw new Fault('sandbox_unavailable', {
      message: `the folder ${folder} cannot be used: ${error instanceof Error ? error.message : String(error)}`,
      hint: `make it a folder of the user that runs the worker (uid ${process.geteuid?.() ?? '?'})`,
      cause: error,
    });
  }
}

/** Since Linux 5.14 the limit of processes counts per user namespace; before, it would count all that the user runs. */
function countsPerNamespace(kernel: string): boolean {
  const [major = 0, minor = 0] = kernel.split('.').map(part => Number.parseInt(part, 10));
  return major > 5 || (major === 5 && minor >= 14);
}

/** Whatever started the worker may have left descriptors open; bubblewrap would hand them on to the agent. */
function inheritedDescriptors(): number[] {
  if (process.platform !== 'linux') return [];
  return readdirSync('/proc/self/fdinfo').flatMap(name => {
    try {
      const flags = /^flags:\s+([0-7]+)/m.exec(readFileSync(`/proc/self/fdinfo/${name}`, 'utf8'))?.[1] ?? '0';
      const closesOnExec = (Number.parseInt(flags, 8) & 0o2000000) !== 0;
      return Number(name) > 2 && !closesOnExec ? [Number(name)] : [];
    } catch {
      return [];
    }
  });
}

function worthOf({ cgroups, countsProcesses, disks }: Host): Extract<SandboxProbe, { ok: true }>['worth'] {
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

async function factsOf({ folder, tools, cgroups, userIds, noDisks }: Host): Promise<Record<string, string>> {
  return {
    engine: await run(tools.bwrap, ['--version']),
    runs_as: userIds ? 'a user id of its own for each sandbox' : `uid ${process.geteuid?.() ?? '?'} of the worker`,
    cgroups: cgroups?.kind ?? 'none',
    workspace: noDisks === undefined ? 'a disk of its own' : `a folder: ${noDisks}`,
    folder: basename(folder),
  };
}

function refusal(error: unknown): SandboxProbe {
  const why = error instanceof Error ? error.message : String(error);
  return {
    ok: false,
    why,
    hint: (error instanceof Fault && error.hint) || 'no known remedy; the words above are the whole story',
  };
}
