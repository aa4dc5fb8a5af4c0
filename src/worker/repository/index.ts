import { mkdir } from 'node:fs/promises';
import { createHostGit } from '../../git/index.ts';
import { retrying } from '../../client/index.ts';
import type { Client } from '../../client/index.ts';
import type { Clock } from '../../kernel/clock.ts';
import { isFault } from '../../kernel/fault.ts';
import type { Fault, FaultCode } from '../../kernel/fault.ts';
import { identityOf } from '../../kernel/identity.ts';
import type { LeaseKey } from '../client.ts';
import { runFailure } from '../failure.ts';
import { mirrorOf, writeTemplate } from './mirror.ts';
import type { Found, Mirror } from './mirror.ts';
import { filesOf } from './tree.ts';
import type { CommitFiles } from './tree.ts';
import { askServer, remoteOf } from './remote.ts';

/** What a run needs of its project's repository. */
export interface Wanted {
  readonly projectId: string;
  readonly objectFormat: 'sha1' | 'sha256';
  readonly commits: readonly string[];
  /** In whose name the server is asked. */
  readonly key: LeaseKey;
  readonly signal: AbortSignal;
}

/** A bare repository on this machine, to be shown read-only to a sandbox. */
export interface Copy {
  readonly path: string;
  /** Tells it from one that was made again in its place; undefined where nothing is there. */
  readonly made: string | undefined;
}

export interface Repositories {
  /** The copy that is there, whatever it lacks; undefined where there is none. Never throws. */
  find(projectId: string): Promise<Copy | undefined>;
  /**
   * Sees to it that the wanted commits are on this machine, through outages of the server as long as `signal` is not aborted.
   * Throws its reason, the server's Fault where the lease is lost, or a run failure `network`, `repository`, or `sandbox` (a full disk).
   */
  open(wanted: Wanted): Promise<Copy>;
  /** As `open`, after `broken` turned out to lack something. */
  replace(broken: Copy, wanted: Wanted): Promise<Copy>;
  /** Every file of a commit that is there. Throws a run failure `repository`, or the signal's reason. */
  files(copy: Copy, at: { readonly commit: string; readonly signal: AbortSignal }): Promise<CommitFiles>;
}

interface Options {
  /** Where the copies are; workers of one machine may share it. */
  readonly folder: string;
  readonly client: Client;
  readonly clock: Clock;
  readonly random: () => number;
}

/** One bare copy a project, shared by all its runs. The user's own repository is the server's affair. */
export async function createRepositories({ folder, client, clock, random }: Options): Promise<Repositories> {
  await mkdir(folder, { recursive: true });
  const [git, template] = await Promise.all([createHostGit(folder, clock), writeTemplate(folder)]);

  async function open(wanted: Wanted): Promise<Copy> {
    const mirror = mirrorOf({ folder, projectId: wanted.projectId, template, git, clock });
    const { signal, commits } = wanted;
    try {
      const found = await mirror.look(commits, signal);
      if (found.lacking.length > 0 && !(await isFilled(mirror, found, { ...wanted, client })))
        await retrying({ clock, random, signal }, () => fill(mirror, { ...wanted, client }));
      return { path: mirror.path, made: await identityOf(mirror.path) };
    } catch (error) {
      signal.throwIfAborted();
      throw isFault(error, 'repository_unavailable') ? runFailure('repository', error.message) : error;
    }
  }

  return {
    async find(projectId) {
      const { path, isMade } = mirrorOf({ folder, projectId, template, git, clock });
      return isMade() ? { path, made: await identityOf(path) } : undefined;
    },
    open,
    async replace(broken, wanted) {
      if ((await identityOf(broken.path)) === broken.made)
        await mirrorOf({ folder, projectId: wanted.projectId, template, git, clock }).remove();
      return open(wanted);
    },
    async files(copy, at) {
      try {
        return await filesOf(git, copy.path, at);
      } catch (error) {
        at.signal.throwIfAborted();
        throw isFault(error, 'repository_unavailable') ? runFailure('repository', error.message) : error;
      }
    },
  };
}

/** The quick way, once. Whatever went wrong with it, git finds out when it fetches itself. */
async function isFilled(
  mirror: Mirror,
  found: Found,
  { client, ...wanted }: Wanted & { readonly client: Client },
): Promise<boolean> {
  try {
    await mirror.fetchLittle({ ...wanted, remote: await remoteOf(client, wanted.key) }, found);
    return true;
  } catch {
    wanted.signal.throwIfAborted();
    return false;
  }
}

/** Of which the last is made from nothing: the copy may be broken. */
const tries = 3;

/**
 * Throws what the server says where it does not serve the repository, which may be worth another try. Where it does and git fails
 * all the same, the fault is the copy's or git's.
 */
async function fill(mirror: Mirror, wanted: Wanted & { readonly client: Client }): Promise<void> {
  const { client, key, commits, objectFormat, signal } = wanted;
  for (let left = tries; ; left -= 1) {
    const remote = await remoteOf(client, key);
    try {
      if (left < tries) await mirror.unlock();
      if (left === 1) await mirror.remove();
      return await mirror.fetch({ remote, commits, objectFormat, signal });
    } catch (error) {
      signal.throwIfAborted();
      if (!isFault(error)) throw error;
      if (error.code === 'disk_full') throw runFailure('sandbox', `The commits of the run could not be stored: ${error.message}`);
      await askServer(remote, signal).catch(refuse);
      if (left === 1) throw runFailure(isOfTheWay(error) ? 'network' : 'repository', error.message);
    }
  }
}

/** Whether git's words are of a connection, as of one that something between here and the server breaks off. */
function isOfTheWay(error: Fault): boolean {
  return waysWords.test(error.message);
}

const waysWords =
  /could not resolve|failed to connect|couldn't connect|connection (?:refused|reset|timed out|was)|network is unreachable|RPC failed|early EOF|unexpected disconnect|remote end hung up|returned error: 5\d\d|did not end within|transfer closed|empty reply/i;

function refuse(refusal: unknown): never {
  if (!isFault(refusal) || losses.has(refusal.code)) throw refusal;
  if (refusal.kind.retry && refusal.code !== 'repository_unavailable') throw refusal;
  throw runFailure('repository', `The server does not serve the repository: ${refusal.message}`);
}

/** With which the server says that the run is not this worker's. */
const losses: ReadonlySet<FaultCode> = new Set(['lease_lost', 'unauthenticated', 'forbidden'] as const);
