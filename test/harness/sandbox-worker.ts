import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../src/kernel/clock.ts';
import { Fault } from '../../src/kernel/fault.ts';
import type { FaultCode } from '../../src/kernel/fault.ts';
import { allPids, processInfo } from '../../src/kernel/processes/info.ts';
import { findProgram, SYSTEM_PATH } from '../../src/providers/sandboxes/local/host/tools.ts';
import { createFiles } from '../../src/providers/sandboxes/files.ts';
import type {
  Sandbox,
  SandboxCommand,
  SandboxExit,
  SandboxLink,
  SandboxStats,
  SandboxProbe,
  SandboxProvider,
  SandboxSpec,
  Snapshot,
} from '../../src/worker/sandbox.ts';
import { removeTree } from './disks.ts';

type PlainCommand = Omit<SandboxCommand, 'onOutput' | 'onStart' | 'signal' | 'ask'>;

export type Call = { readonly id: number } & (
  | { readonly verb: 'probe' }
  | { readonly verb: 'reap'; readonly look?: Look }
  | { readonly verb: 'create'; readonly spec: SandboxSpec }
  | {
      readonly verb: 'exec';
      readonly sandbox: number;
      readonly command: { readonly plain: PlainCommand; readonly aborted: boolean };
    }
  | { readonly verb: 'kill'; readonly sandbox: number }
  | { readonly verb: 'stats'; readonly sandbox: number }
  | { readonly verb: 'snapshot'; readonly sandbox: number }
  | { readonly verb: 'forget'; readonly snapshot: string }
  | { readonly verb: 'leave'; readonly snapshot: string }
  | { readonly verb: 'isWhole'; readonly snapshot: string }
  | { readonly verb: 'keep'; readonly snapshot: string; readonly text: string }
  | { readonly verb: 'kept' }
  | { readonly verb: 'abort'; readonly exec: number }
  | { readonly verb: 'ask'; readonly exec: number }
);

/** Runs a command in the workspace of each orphan, which stays unless it ends well. */
export type Look = readonly [string, ...string[]];

/** What a look has seen. */
export interface Seen {
  readonly count: number;
  readonly orphans: readonly { readonly id: string; readonly text: string }[];
}

export interface Answer {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: { readonly message: string; readonly code?: FaultCode; readonly hint?: string | undefined };
  readonly stream?: 'stdout' | 'stderr';
  readonly chunk?: Uint8Array;
  readonly started?: true;
}

/** What connects comes out at a port of the test's own. */
export interface BridgedLink extends SandboxLink {
  readonly port: number;
}

export type Who = 'root' | 'an ordinary user';

/** How a provider is made: as SKEP_SANDBOX says it; local without and with the compiled part, and by that with each sandbox from the warm pool. */
export type ProviderName = 'local' | 'local:native' | 'local:warm' | 'oci' | 'oci:runsc' | 'oci:docker' | 'process';

/** Those that this process can be; as an ordinary user nobody can become root. */
const people: readonly { readonly who: Who; readonly possible: boolean }[] = [
  { who: 'root', possible: process.geteuid?.() === 0 },
  { who: 'an ordinary user', possible: true },
];

export interface SandboxWorker {
  readonly provider: SandboxProvider;
  /** Where it keeps its sandboxes. */
  readonly folder: string;
  readonly pid: number;
  reap(look: Look): Promise<Seen>;
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>;
}

export interface Subject {
  readonly provider: ProviderName;
  readonly who: Who;
  readonly possible: boolean;
  /** Why not, where it is not. */
  readonly lacking: string;
  /** Each command is a container: that takes longer, and the engine stands between. */
  readonly isContainer: boolean;
  /** What takes long is done on one provider for each change, and on the others in a proof. */
  readonly isLean: boolean;
}

const repository = join(import.meta.dirname, '../..');
/** Set by the proof that runs all of the suite. */
const isThorough = process.env['SKEP_CONFORMANCE'] === 'thorough';
const isRoot = process.geteuid?.() === 0;
const has = (program: string): boolean => findProgram(SYSTEM_PATH, program) !== undefined;
const hasContainers = has('podman') && (has('runc') || has('crun'));
const hasDocker = has('docker') && existsSync('/run/docker.sock');

/** With each sandbox taken from the warm pool: the hostile agent meets it for each change, all else in the proof. */
export const warm: Subject = subject('local:warm', 'root', isRoot ? lackingNative() : 'this is not root');

/** Each provider as each user that this process can be; test/conformance runs on all of them. */
export const subjects: readonly Subject[] = [
  ...people.map(({ who, possible }) => subject('local', who, possible ? '' : 'this is not root')),
  subject('local:native', 'root', isRoot ? lackingNative() : 'this is not root'),
  ...people.map(({ who, possible }) => subject('process', who, possible ? '' : 'this is not root')),
  container('oci', hasContainers, 'podman and runc are not here (bin/setup --test)'),
  ...(isThorough ? rarer() : []),
];

function rarer(): readonly Subject[] {
  // Its statx refuses a flag that ls and stat always give, on which half of the suite looks at what is there.
  const isOld = has('runsc') && /0~2022/.test(execFileSync('runsc', ['--version'], { encoding: 'utf8' }));
  const lacking = isOld ? 'ls fails in this gVisor, of December 2022' : 'podman and runsc are not here (bin/setup --test)';
  return [
    warm,
    rootless(),
    container('oci:runsc', has('podman') && has('runsc') && !isOld, lacking),
    container('oci:docker', hasDocker, 'no Docker answers at /run/docker.sock'),
  ];
}

for (const { provider, who, lacking } of subjects)
  if (lacking !== '') process.stderr.write(`SKIPPED: ${provider} as ${who}: ${lacking}\n`);

/** By root, who becomes the user and lends it a range of user ids. */
function rootless(): Subject {
  const lacking = hasContainers && has('newuidmap') ? '' : 'podman, runc and newuidmap are not here (bin/setup --test)';
  return subject('oci', 'an ordinary user', isRoot ? lacking : 'this is not root');
}

function container(provider: ProviderName, isThere: boolean, lacking: string): Subject {
  return subject(provider, 'root', isRoot ? (isThere ? '' : lacking) : 'this is not root');
}

function lackingNative(): string {
  return existsSync(join(repository, 'dist/native/skep-sandbox'))
    ? ''
    : 'the compiled part is not here (bin/build, with a C compiler)';
}

function subject(provider: ProviderName, who: Who, lacking: string): Subject {
  const isContainer = provider.startsWith('oci');
  return { provider, who, possible: lacking === '', lacking, isContainer, isLean: !provider.startsWith('local') && !isThorough };
}

interface Start {
  readonly who: Who;
  readonly provider?: ProviderName;
  /** The folder of an earlier worker; a new one otherwise. */
  readonly folder?: string;
  readonly path?: string;
  /** Wraps the command line of the worker. */
  readonly wrap?: readonly string[];
}

const ORDINARY = 65534;
const workerProgram = 'test/fixtures/sandbox-worker.ts';

/** A folder as a worker would have it: root's lies under a path that only root can walk. */
export function sandboxFolder(who: Who): { readonly folder: string; remove(): void } {
  const top = mkdtempSync(join(tmpdir(), 'skep-sandboxes-'));
  const folder = join(top, 'home', 'sandboxes');
  mkdirSync(folder, { recursive: true });
  if (who === 'an ordinary user' && process.geteuid?.() === 0) {
    chmodSync(top, 0o755);
    for (const path of [join(top, 'home'), folder]) chownSync(path, ORDINARY, ORDINARY);
  }
  return { folder, remove: () => removeTree(top) };
}

/** Starts a worker process that serves the port over its IPC channel. */
export async function startSandboxWorker({
  who,
  provider = 'local',
  folder = sandboxFolder(who).folder,
  path,
  wrap = [],
}: Start): Promise<SandboxWorker> {
  const [program, ...args] = [
    ...becoming(who, provider),
    ...wrap,
    process.execPath,
    '--import',
    'tsx',
    workerProgram,
    provider,
    folder,
  ];
  const child = spawn(program ?? '', [...args, ...(path === undefined ? [] : [path])], {
    cwd: repository,
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    serialization: 'advanced',
    env: { PATH: process.env['PATH'], HOME: folder, TSX_DISABLE_CACHE: '1' },
  });
  const waiting = new Map<number, (answer: Answer) => void>();
  const gone = new Promise<void>(resolve => {
    child.once('exit', () => {
      for (const [id, tell] of waiting) tell({ id, error: { message: 'the worker is dead' } });
      resolve();
    });
  });
  const ready = new Promise<Answer>(resolve => waiting.set(0, resolve));
  child.on('message', answer => waiting.get((answer as Answer).id)?.(answer as Answer));
  const { error } = await ready;
  if (error) throw new Error(error.message);

  let last = 0;
  function ask(call: (id: number) => Call, onEvent: (answer: Answer) => void = () => {}): Promise<unknown> {
    const id = ++last;
    return new Promise((resolve, reject) => {
      // It would never answer.
      if (!child.connected) return reject(new Error('the worker is dead'));
      waiting.set(id, answer => {
        if (answer.stream || answer.started) return onEvent(answer);
        waiting.delete(id);
        if (answer.error)
          reject(
            answer.error.code
              ? new Fault(answer.error.code, { message: answer.error.message, ...hint(answer) })
              : new Error(answer.error.message),
          );
        else resolve(answer.value);
      });
      child.send(call(id));
    });
  }

  return {
    provider: providerOver(ask, provider.startsWith('oci') ? 'oci' : provider === 'process' ? 'process' : 'local'),
    folder,
    pid: child.pid ?? 0,
    reap: async look => (await ask(id => ({ id, verb: 'reap', look }))) as Seen,
    async kill() {
      child.kill('SIGKILL');
      await gone;
      if (provider === 'oci' && who !== 'root') await noneAtHome(folder);
    },
  };
}

type Ask = (call: (id: number) => Call, onEvent?: (answer: Answer) => void) => Promise<unknown>;

function providerOver(ask: Ask, kind: SandboxProvider['kind']): SandboxProvider {
  return {
    kind,
    list: () => [],
    get: () => undefined,
    prewarm: () => Promise.resolve(),
    probe: async () => (await ask(id => ({ id, verb: 'probe' }))) as SandboxProbe,
    reapOrphans: async () => (await ask(id => ({ id, verb: 'reap' }))) as number,
    async kept() {
      const found = (await ask(id => ({ id, verb: 'kept' }))) as readonly { readonly snapshot: string; readonly text: string }[];
      return found.map(({ snapshot, text }) => ({ snapshot: snapshotOver(ask, snapshot), text }));
    },
    async create({ links = [], from = [], ...rest }) {
      // What each link does is the fixture's affair: it says its path, and then all that it hears, or leads to a port of ours.
      const spec = {
        ...rest,
        links: links.map(link => ({ ...link, onConnection: undefined as never })),
        from: from.map(({ id }) => ({ id, remove: undefined as never })),
      };
      const sandbox = (await ask(id => ({ id, verb: 'create', spec }))) as number;
      const exec = (command: SandboxCommand): Promise<SandboxExit> => execOver(ask, sandbox, command);
      return {
        ...{ id: spec.id, limits: spec.limits, madeAtMs: Date.now(), exec, files: createFiles(exec) },
        stats: async () => (await ask(id => ({ id, verb: 'stats', sandbox }))) as SandboxStats,
        snapshot: async () => {
          return snapshotOver(ask, (await ask(id => ({ id, verb: 'snapshot', sandbox }))) as string);
        },
        kill: async () => void (await ask(id => ({ id, verb: 'kill', sandbox }))),
      } satisfies Sandbox;
    },
  };
}

function snapshotOver(ask: Ask, snapshot: string): Required<Snapshot> {
  return {
    id: snapshot,
    remove: async () => void (await ask(id => ({ id, verb: 'forget', snapshot }))),
    keep: async text => void (await ask(id => ({ id, verb: 'keep', snapshot, text }))),
    leave: async () => void (await ask(id => ({ id, verb: 'leave', snapshot }))),
    isWhole: async () => (await ask(id => ({ id, verb: 'isWhole', snapshot }))) as boolean,
  };
}

async function execOver(ask: Ask, sandbox: number, command: SandboxCommand): Promise<SandboxExit> {
  const { onOutput, onStart, signal, ask: asking, ...plain } = command;
  let exec = 0;
  const abort = () => void ask(id => ({ id, verb: 'abort', exec })).catch(() => {});
  const askToEnd = () => void ask(id => ({ id, verb: 'ask', exec })).catch(() => {});
  signal?.addEventListener('abort', abort);
  asking?.addEventListener('abort', askToEnd);
  const exit = await ask(
    id => {
      exec = id;
      return { id, verb: 'exec', sandbox, command: { plain, aborted: signal?.aborted ?? false } };
    },
    ({ stream, chunk, started }) => {
      if (started) onStart?.();
      if (stream && chunk) onOutput(stream, Buffer.from(chunk));
    },
  ).finally(() => {
    signal?.removeEventListener('abort', abort);
    asking?.removeEventListener('abort', askToEnd);
  });
  return exit as SandboxExit;
}

/** The repository may lie under a path that only root can walk: then the other user sees it at a place of its own. */
function becoming(who: Who, provider: ProviderName): string[] {
  if (who === 'root' || process.geteuid?.() !== 0) return [];
  const lent = provider === 'oci' ? lendIds : [];
  const script = [...lent, 'mount --rbind "$1" /mnt', 'cd /mnt', 'shift', 'exec "$@"'].join(' && ');
  const id = String(ORDINARY);
  return [
    ...['unshare', '--mount', '--propagation', 'private', 'sh', '-c', script, 'sh', repository],
    ...['setpriv', '--reuid', id, '--regid', id, '--clear-groups'],
  ];
}

/** For containers of an ordinary user, by newuidmap; the machine's own ranges stay as they are. */
const lendIds = [
  `ids=$(mktemp) && echo ${ORDINARY}:3000000:65536 > "$ids" && chmod 644 "$ids"`,
  'for each in subuid subgid; do mount --bind "$ids" /etc/$each || exit; done && rm "$ids"',
];

/**
 * An engine of an ordinary user lives in its home, and cleans up there when its worker is dead; one process of it would stay for ever. Where
 * another worker lives there, that one's engine does too, and is left alone.
 */
async function noneAtHome(home: string): Promise<void> {
  const word = `HOME=${home}\0`;
  const there = (): number[] => allPids().filter(pid => pid !== process.pid && environmentOf(pid).includes(word));
  if (there().some(pid => processInfo(pid)?.argv.includes(workerProgram) === true)) return;
  for (let tries = 0; there().length > 1 && tries < 100; tries += 1) await systemClock.sleep(100);
  for (const pid of there()) process.kill(pid, 'SIGKILL');
  for (let tries = 0; there().length > 0 && tries < 100; tries += 1) await systemClock.sleep(100);
}

function environmentOf(pid: number): string {
  try {
    return `${readFileSync(`/proc/${pid}/environ`, 'latin1')}\0`;
  } catch {
    return '';
  }
}

function hint({ error }: Answer): { hint?: string } {
  return error?.hint === undefined ? {} : { hint: error.hint };
}
