import { type ChildProcess, type SpawnOptions, spawn, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { Fault } from '../../../kernel/fault.ts';
import { type Binaries, copyBinaries } from './binaries.ts';
import type { Site } from './folder.ts';

/**
 * As whom the programs run. Postgres refuses root. `namespace`: still root for the file system, so that a home or node_modules
 * below a 0700 folder is reached, but without any capability and under another number for itself.
 */
export type Identity =
  | { readonly as: 'self' }
  | { readonly as: 'namespace' }
  | { readonly as: 'user'; readonly uid: number; readonly gid: number };

/** Never the environment of this process: PG* variables would change what initdb and postgres do. */
const environment = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C', TZ: 'UTC' };
const unshare = ['unshare', '--user', '--map-user=65534', '--map-group=65534', '--'];

/** Starts a program of Postgres as `identity`. The working directory is `/`: the present one may be out of reach. */
export function spawnAs(identity: Identity, command: readonly [string, ...string[]], options: SpawnOptions): ChildProcess {
  const [program, ...args] = identity.as === 'namespace' ? [...unshare, ...command] : command;
  const user = identity.as === 'user' ? { uid: identity.uid, gid: identity.gid } : {};
  return spawn(program ?? '', args, { ...options, ...user, cwd: '/', env: environment });
}

/** Gives a file that this process made to the user as whom the server runs. */
export function handOver(identity: Identity, ...paths: readonly string[]): void {
  if (identity.as === 'user') for (const path of paths) chownSync(path, identity.uid, identity.gid);
}

interface Choice {
  readonly site: Site;
  readonly binaries: Binaries;
  /** Receives the programs when the chosen user cannot reach them. */
  readonly copyTo: string;
  readonly mayUnshare?: (binaries: Binaries) => boolean;
}

/** Chooses the identity for a site and the programs that it can reach. Throws Fault `database_unusable` when there is none. */
export function chooseIdentity({ site, binaries, copyTo, mayUnshare = canUnshare }: Choice): {
  identity: Identity;
  binaries: Binaries;
} {
  if (process.getuid?.() !== 0) return { identity: { as: 'self' }, binaries };
  const owner = ownerOf(site);
  if (owner.uid === 0 && (owner.isData || mayUnshare(binaries))) return { identity: { as: 'namespace' }, binaries };
  const user = owner.uid === 0 ? unprivilegedUser() : owner;
  if (site.firstMade !== undefined) openWay(site.home, site.firstMade);
  refuseUnreachable(site, user);
  const identity: Identity = { as: 'user', uid: user.uid, gid: user.gid };
  handOver(identity, site.root);
  return { identity, binaries: reaches(user, binaries.root) ? binaries : copyBinaries(binaries.root, copyTo) };
}

/** Whether this user may enter every folder on the way. Looks at mode bits only. */
export function reaches(user: { uid: number; gid: number }, folder: string): boolean {
  const { mode, uid, gid } = statSync(folder);
  const bit = uid === user.uid ? 0o100 : gid === user.gid ? 0o010 : 0o001;
  return (mode & bit) !== 0 && (folder === '/' || reaches(user, dirname(folder)));
}

/** Folders that we have just made ourselves, closed by default, may be entered (not listed) by the user of the server. */
function openWay(folder: string, firstMade: string): void {
  chmodSync(folder, 0o711);
  if (folder !== firstMade && folder.startsWith(firstMade)) openWay(dirname(folder), firstMade);
}

function refuseUnreachable(site: Site, user: { uid: number; gid: number }): void {
  if (reaches(user, site.home)) return;
  throw new Fault('database_unusable', {
    message: `PostgreSQL does not run as root, user namespaces are not allowed here, and user ${user.uid} cannot enter ${site.home}`,
    hint: `Run Skep as an ordinary user, type "chmod o+x" for each folder on the way to ${site.home}, set SKEP_HOME to a folder like /var/lib/skep, or set DATABASE_URL.`,
    facts: { uid: user.uid, path: site.home },
  });
}

/** Who owns the data, or else the folder that will hold it: a home that belongs to an ordinary user stays hers when root starts it. */
function ownerOf(site: Site): { uid: number; gid: number; isData: boolean } {
  const data = statSync(site.data, { throwIfNoEntry: false });
  const { uid, gid } = data ?? statSync(site.home);
  return { uid, gid, isData: data !== undefined };
}

function canUnshare(binaries: Binaries): boolean {
  const [program, ...args] = [...unshare, binaries.postgres, '--version'];
  return spawnSync(program ?? '', args, { cwd: '/', env: environment, stdio: 'ignore' }).status === 0;
}

function unprivilegedUser(): { uid: number; gid: number } {
  const lines = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map(line => line.split(':'));
  const found = lines.find(([name]) => name === 'postgres') ?? lines.find(([name]) => name === 'nobody');
  return { uid: Number(found?.[2] ?? 65534), gid: Number(found?.[3] ?? 65534) };
}
