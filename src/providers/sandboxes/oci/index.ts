import { randomBytes } from 'node:crypto';
import { basename } from 'node:path';
import type { Clock } from '../../../kernel/clock.ts';
import { Fault } from '../../../kernel/fault.ts';
import type { Log } from '../../../kernel/log.ts';
import { isDead, thisOwner } from '../../../kernel/processes/owner.ts';
import type { Lack, SandboxProvider } from '../../../worker/sandbox.ts';
import { countsPerNamespace } from '../limits.ts';
import { findDisks, workspaceFact } from '../disk/index.ts';
import { createMounter } from '../disk/mounter.ts';
import { openHome } from '../host.ts';
import { lackOf } from '../lacks.ts';
import type { Worth } from '../lacks.ts';
import type { Controller } from '../local/host/cgroups.ts';
import { groupsLack } from '../local/host/groups-lack.ts';
import { killUser } from '../local/host/owner.ts';
import { findTools, SYSTEM_PATH } from '../local/host/tools.ts';
import { createUserIds, userIdsFolder } from '../local/host/user-ids.ts';
import { findNative, switchedOff } from '../local/native/index.ts';
import { statsBelow } from '../local/stats.ts';
import type { Home, Made } from '../started/home.ts';
import { createProvider } from '../started/provider.ts';
import { mendPrograms } from '../trial.ts';
import { ownerLabel, processesByStarter, runArguments } from './arguments.ts';
import { findEngine, hasOwnKernel, tellerOf } from './engine.ts';
import type { Engine, EngineName } from './engine.ts';
import { etcOf } from './etc.ts';
import { createGuard } from './guard.ts';
import { takeNewer } from './gvisor.ts';
import { heldBy } from './held.ts';
import type { Held } from './held.ts';
import { emptyImage, hostFolders } from './image.ts';
import { launch } from './launch.ts';
import { seccompProfile } from './seccomp.ts';

interface Options {
  /** Absolute host folder in which sandboxes live; made with mode 0700 where it is missing. */
  readonly folder: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly engine: EngineName;
  /** As the engine calls it: crun, runc, runsc; by default the quickest that works here. */
  readonly runtime?: string;
  /** Where the engine and its runtimes are looked for. */
  readonly path?: string;
  /** False: all that the compiled part of Skep could do is done by the system's programs. */
  readonly native?: boolean;
}

/** Sandboxes as containers, one for each command: docs/sandbox.md tells what they hold back and what not. */
export function createOciSandboxes({
  folder,
  clock,
  log,
  engine,
  runtime,
  path = SYSTEM_PATH,
  native = true,
}: Options): SandboxProvider {
  return createProvider({
    kind: 'oci',
    clock,
    log,
    prepare: () => prepare({ folder, clock, path, wanted: { engine, runtime, path }, mayUseNative: native }),
  });
}

/** An engine that has much to do takes some seconds to begin and to end a container. */
const CLEAR_MS_MAX = 15_000;

interface Preparation {
  readonly folder: string;
  readonly clock: Clock;
  readonly path: string;
  readonly wanted: Parameters<typeof findEngine>[0];
  readonly mayUseNative: boolean;
}

async function prepare({ folder: place, clock, path, wanted, mayUseNative }: Preparation) {
  const filter = seccompProfile(process.arch);
  if (process.platform !== 'linux' || filter === undefined)
    throw new Fault('sandbox_unavailable', {
      message: `containers as sandboxes need Linux on x86-64 or arm64, not ${process.platform} on ${process.arch}`,
      hint: 'run the worker on another machine; the server may stay here',
    });
  const engine = await findEngine(wanted);
  const native = mayUseNative ? await findNative() : switchedOff;
  const mounter = 'path' in native ? createMounter(native.path) : undefined;
  const tools = { ...findTools(path, { without: ['bwrap', 'unshare'] }), mounter };
  const folder = openHome(place);
  const root = process.geteuid?.() === 0;
  const shown = await shownIn(engine);
  const held = await heldBy(engine, root);
  const guard = createGuard(engine, thisOwner());
  const home: Home = {
    ...{ folder, clock, tools, filter: Buffer.from(filter) },
    ...(await findDisks({ folder, tools, path })),
    userIds: root ? createUserIds({ folder: userIdsFolder, home: folder }) : undefined,
    ground: made => groundOf({ engine, clock, shown, held, guard }, made),
    clear: uid => Promise.resolve(killUser(uid)),
  };
  const worth = worthOf(engine, { held, home });
  return {
    ...{ home, worth, lacks: lacksOf({ home, held }, worth), mend: hasOwnKernel(engine) ? takeNewer : mendPrograms },
    facts: () => factsOf(engine, { home, root }),
    sweep: () => sweep(engine),
  };
}

/** The image, made where it is not there, and what of the host is shown in it. */
async function shownIn(engine: Engine): Promise<{ image: string; folders: readonly string[] }> {
  const { name, tar } = emptyImage();
  const isThere = await engine.run(['image', 'inspect', '--format', '{{.Id}}', name]).then(
    () => true,
    () => false,
  );
  try {
    if (!isThere) await engine.run(['import', '-', name], { input: tar });
  } catch (error) {
    throw setupFault(error instanceof Error ? error.message : String(error));
  }
  return { image: name, folders: hostFolders() };
}

interface Means {
  readonly engine: Engine;
  readonly clock: Clock;
  readonly shown: { readonly image: string; readonly folders: readonly string[] };
  readonly held: Held;
  readonly guard: { stand(): void };
}

function groundOf(
  { engine, clock, shown, held, guard }: Means,
  { limits, folder, uid, keeps }: Made,
): ReturnType<Home['ground']> {
  const etc = etcOf(folder, uid);
  const teller = tellerOf(engine, held.controllers);
  return {
    clearMsMax: CLEAR_MS_MAX,
    counting: ({ starter: 'counted', host: 'asked', nobody: 'unknown' } as const)[teller],
    processesMax: processesByStarter({ engine, limits, uid }),
    preambleFd: 0,
    fault: setupFault,
    stats: statsBelow,
    launch({ argv, token, stdin }) {
      const name = `skep_${thisOwner()}_${randomBytes(8).toString('hex')}`;
      const { image, folders } = shown;
      const own = { name, image, hostFolders: folders, held: held.controllers, teller };
      const args = runArguments({ ...own, engine, folder, limits, keeps, uid, argv, etc });
      guard.stand();
      return launch({ engine, teller, args, name, token, stdin, clock });
    },
  };
}

/** Containers whose workers are dead: all of them, also those of other homes. */
async function sweep(engine: Engine): Promise<void> {
  const printed = await engine.run(['ps', '--all', '--filter', `label=${ownerLabel}`, '--format', '{{.Names}}']);
  const lost = printed.split('\n').filter(name => name.startsWith('skep_') && isDead(name.split('_')[1] ?? ''));
  for (const name of lost) await engine.run(['rm', '--force', name]).catch(() => {});
}

interface Found {
  readonly home: Home;
  readonly held: Held;
}

function worthOf(engine: Engine, { held, home }: Found): Worth {
  const own = hasOwnKernel(engine);
  const by = (controller: Controller) => (held.controllers.includes(controller) ? 'enforced' : 'none');
  // A container of an ordinary user has a user namespace of its own.
  const isCounted = by('pids') === 'enforced' || (!own && home.userIds === undefined && countsPerNamespace());
  return {
    ...{ kind: 'oci', isolation: own ? 'kernel' : 'namespaces', network: 'enforced' },
    limits: {
      memory: by('memory'),
      // Of a kernel in user space the host counts the threads, and not what it shows as processes.
      processes: !isCounted ? 'none' : own ? 'advisory' : 'enforced',
      workspace: home.disks === undefined ? 'advisory' : 'enforced',
      ...{ cpu: by('cpu'), tmp: 'enforced', output: 'enforced', time: 'enforced' },
    },
  };
}

function lacksOf({ home: { noDisks }, held: { lack } }: Found, { limits }: Worth): readonly Lack[] {
  const isCounted = limits.processes === 'advisory';
  return [
    ...lackOf(
      (['memory', 'processes', 'cpu'] as const).filter(limit => limits[limit] === 'none'),
      lack,
    ),
    ...lackOf(isCounted ? ['processes'] : [], threadsAlone),
    ...lackOf(['workspace'], noDisks),
  ];
}

const threadsAlone = {
  why: 'gVisor shows processes that the host does not know, which counts the threads that they need',
  mend: 'the limit of memory ends what makes too many; SKEP_SANDBOX=oci counts them',
};

async function factsOf(engine: Engine, { home, root }: { home: Home; root: boolean }): Promise<Record<string, string>> {
  const version = await engine.run(['--version']);
  const runs_as = root ? 'a user id of its own for each sandbox' : `uid ${process.geteuid?.() ?? '?'} of the worker`;
  return { engine: version, runtime: engine.runtime, runs_as, workspace: workspaceFact(home), folder: basename(home.folder) };
}

/** What an engine says, with what to do about it. */
function setupFault(words: string): Fault {
  const text = words.slice(0, 2_000) || 'the engine ended without a word';
  if (/no space left|quota exceeded/i.test(text))
    return new Fault('disk_full', { message: `there is no space left for a container: ${text}` });
  const isAboutCgroups = /cgroup/i.test(text) && /read-only|denied|not permitted/i.test(text);
  const groups = isAboutCgroups ? groupsLack(undefined)?.mend : undefined;
  const hint = groups ?? HINTS.find(([about]) => about.test(text))?.[1] ?? 'the words are those of the container engine';
  return new Fault('sandbox_unavailable', { message: `the container could not be started: ${text}`, hint });
}

const HINTS: readonly (readonly [RegExp, string])[] = [
  [/hybrid mode/, 'this runtime does not know machines with both versions of cgroups: apt-get install runc'],
  [/subuid|subgid|newuidmap/, 'apt-get install uidmap, and give the user a range in /etc/subuid and /etc/subgid'],
  [/Cannot connect to the Docker daemon|docker\.sock/, "start Docker, and let the worker's user call it"],
  [
    /image not known|No such image|unable to find/i,
    'somebody has removed the empty image: start the worker anew, which makes it',
  ],
];
