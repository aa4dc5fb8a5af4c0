import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Fault } from '../../../kernel/fault.ts';
import { homePath, keptPath } from '../../../worker/sandbox.ts';
import type { SandboxLimits } from '../../../worker/sandbox.ts';
import { countsPerNamespace } from '../limits.ts';
import type { Folder } from '../local/folder.ts';
import { atMost } from '../local/launch.ts';
import type { Controller } from '../local/host/cgroups.ts';
import { keptName } from '../disk/mounted.ts';
import type { Engine, Teller } from './engine.ts';
import { hasOwnKernel } from './engine.ts';
import type { Etc } from './etc.ts';

interface Container {
  readonly engine: Engine;
  readonly name: string;
  readonly image: string;
  /** Read-only from the host, where the image has none of its own. */
  readonly hostFolders: readonly string[];
  readonly folder: Folder;
  readonly limits: SandboxLimits;
  readonly keeps: boolean;
  /** Of root's containers; else the worker's own user is 1000 inside. */
  readonly uid: number | undefined;
  /** What the engine can hold. */
  readonly held: readonly Controller[];
  readonly teller: Teller;
  readonly argv: readonly string[];
  readonly etc: Etc;
}

/** Names the worker of a container, so that those of dead ones can be told. */
export const ownerLabel = 'skep.owner';

/** The arguments of `run`, as podman and Docker both read them. No secret is among them: an engine keeps them and shows them. */
export function runArguments(container: Container): readonly string[] {
  const { engine, name, image, folder, argv, teller } = container;
  const [entry = '', ...rest] = argv;
  return [
    ...['run', '--rm', '--interactive', '--name', name, '--label', `${ownerLabel}=${name.split('_')[1] ?? ''}`],
    // How the starter hears that the host has read what it must.
    ...(teller === 'host' ? ['--preserve-fds', '1'] : []),
    ...['--log-driver', 'none', '--pull', 'never', '--hostname', 'skep', '--network', 'none', '--read-only'],
    ...['--cap-drop', 'all', '--security-opt', 'no-new-privileges', '--security-opt', `seccomp=${join(folder.path, 'seccomp')}`],
    ...(engine.name === 'podman'
      ? ['--read-only-tmpfs=false', '--no-hosts', '--image-volume', 'ignore', '--security-opt', masks(teller)]
      : []),
    ...user(container),
    ...bounds(container),
    ...mounts(container),
    ...['--workdir', '/', '--entrypoint', entry, image, ...rest],
  ];
}

function user({ uid, engine }: Container): string[] {
  if (uid !== undefined) return ['--user', `${uid}:${uid}`];
  return engine.name === 'podman' ? ['--userns', 'keep-id:uid=1000,gid=1000', '--user', '1000:1000'] : ['--user', '1000:1000'];
}

/** Files that tell of the whole machine or of other users' keys, beside those that engines mask themselves. */
const MASKS = 'mask=/proc/kallsyms:/proc/key-users';

/** The starter reads in the groups what was killed for want of memory. Where it does not, nobody inside needs them. */
function masks(teller: Teller): string {
  return teller === 'starter' ? MASKS : `${MASKS}:/sys/fs/cgroup`;
}

/** Of a kernel in user space the host sees only that, with the threads and the memory that it needs for itself. */
const KERNEL_PROCESSES = 1_024;
const KERNEL_BYTES = 96 * 2 ** 20;
/** The starter's shell and the `env` that becomes the command. */
const OWN_PROCESSES = 2;
const OPEN_FILES = 1_048_576;
const SHM_BYTES_MAX = 64 * 2 ** 20;

/**
 * How many processes the starter is to allow, where the engine must not: a runtime (crun) that has the limit itself, before the user namespace
 * of the container is made, is held to it by all that the worker's user runs, and starts nothing where that is more.
 */
export function processesByStarter({ engine, limits, uid }: Pick<Container, 'engine' | 'limits' | 'uid'>): number | undefined {
  if (uid !== undefined || hasOwnKernel(engine) || !countsPerNamespace()) return undefined;
  return atMost('Max processes', limits.processCount + OWN_PROCESSES);
}

function bounds({ engine, limits, held, uid }: Container): string[] {
  const isOwn = hasOwnKernel(engine);
  const own = isOwn ? { processes: KERNEL_PROCESSES, bytes: KERNEL_BYTES } : { processes: OWN_PROCESSES, bytes: 0 };
  const processes = limits.processCount + own.processes;
  const bytes = Math.ceil(limits.memoryBytes + own.bytes);
  const files = Math.min(OPEN_FILES, engine.openFilesMax);
  return [
    // Else it would ask for more than this user may have.
    ...['--ulimit', `nofile=${files}:${files}`, '--ulimit', 'core=0:0'],
    // Where the user is this sandbox's alone.
    ...(uid !== undefined || isOwn ? ['--ulimit', `nproc=${processes}:${processes}`] : []),
    ...['--shm-size', String(Math.max(4_096, Math.min(Math.floor(limits.tmpBytes), SHM_BYTES_MAX)))],
    ...(held.includes('pids') ? ['--pids-limit', String(processes)] : []),
    ...(held.includes('memory') ? ['--memory', String(bytes), '--memory-swap', String(bytes)] : []),
    ...(held.includes('cpu') ? ['--cpus', cpus(limits)] : []),
  ];
}

function cpus({ cpuCount }: SandboxLimits): string {
  return Math.max(0.01, cpuCount).toFixed(2);
}

/** Of the host's /etc only what programs need to start and to check certificates. */
const ETC = [
  'ld.so.cache',
  'alternatives',
  'localtime',
  'ssl/certs',
  'ssl/openssl.cnf',
  'ca-certificates',
  'pki/tls/certs',
  'pki/ca-trust',
];

function mounts({ engine, folder: { slot, binds }, limits, keeps, hostFolders, etc }: Container): string[] {
  const tmp = `rw,exec,nosuid,nodev,mode=1777,size=${Math.max(4_096, Math.floor(limits.tmpBytes))}`;
  const own = ['hosts', 'nsswitch.conf'].map(name => bind(join(slot, 'etc', name), `/etc/${name}`));
  const written = [bind(etc.passwd, '/etc/passwd'), bind(etc.group, '/etc/group'), bind(etc.resolv, '/etc/resolv.conf')];
  const shown = hostFolders.length === 0 ? [] : ETC.map(name => `/etc/${name}`).filter(path => existsSync(path));
  return [
    ...['--tmpfs', `/tmp:${tmp}`, '--tmpfs', `${homePath}:${tmp}`],
    // What the host tells of itself there is no sandbox's business.
    ...(hasOwnKernel(engine) ? [] : ['--tmpfs', '/sys:ro,size=4096,mode=555']),
    ...[...hostFolders, ...shown].flatMap(path => bind(path, path)),
    ...[...own, ...written].flat(),
    ...bind(join(slot, 'skep'), '/skep'),
    ...binds.flatMap(({ from, to }) => bind(from, to)),
    ...(keeps ? bind(join(slot, keptName), keptPath, 'rw') : []),
    ...bind(join(slot, 'work'), '/work', 'rw'),
  ];
}

function bind(from: string, to: string, right: 'ro' | 'rw' = 'ro'): string[] {
  // The engines read this as fields between commas, and have no word that both take for a comma in a path.
  if (/[,"\n]/.test(`${from}${to}`))
    throw new Fault('invalid_request', {
      message: `"${from}" can't be shown in a container: its path has a comma, a quote or a line's end`,
    });
  return ['--mount', `type=bind,source=${from},destination=${to}${right === 'ro' ? ',readonly' : ''}`];
}
