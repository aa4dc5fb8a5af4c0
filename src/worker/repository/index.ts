import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../kernel/clock.ts';
import { runFailure } from '../failure.ts';
import { clearLocks, createHostGit } from './git.ts';
import type { GitOptions, HostGit } from './git.ts';
import { findLocal } from './local.ts';
import type { Local } from './local.ts';
import { parseRemote } from './remote.ts';

/** What a run starts from. */
export interface Origin {
  /** The bare copy on this machine, to be shown read-only to the sandbox; absent where the project has no repository. */
  readonly mirror: string | undefined;
  /** The commit that the work starts from; absent in a repository without a commit. */
  readonly base: string | undefined;
  readonly objectFormat: 'sha1' | 'sha256';
}

export interface Repositories {
  /** Brings the copy of `repository` up to date and says where the work starts. Throws a run failure `repository`. */
  open(repository: string | null, signal: AbortSignal): Promise<Origin>;
}

interface Options {
  /** Where the copies are. */
  readonly folder: string;
  /** SKEP_HOME: nothing below it is taken for a user's repository. */
  readonly home: string;
  readonly clock: Clock;
}

const fetchTimeoutMs = 600_000;

/**
 * Bare copies of the users' repositories, one per address, shared by all runs and all workers of a folder. A user's repository
 * is only read. A copy is a cache: it may be deleted while no run uses it.
 */
export async function createRepositories({ folder, home, clock }: Options): Promise<Repositories> {
  await mkdir(folder, { recursive: true });
  const git = await createHostGit(folder, clock);
  return {
    async open(repository, signal) {
      if (repository === null) return { mirror: undefined, base: undefined, objectFormat: 'sha1' };
      const source = await sourceOf(repository, [home, folder]);
      const at = join(folder, createHash('sha256').update(repository).digest('hex'));
      const copy: Copy = { git, source, mirror: `${at}.git`, lock: `${at}.lock`, signal };
      const head = await readHead(copy);
      await update(copy, head);
      return { mirror: copy.mirror, base: await baseOf(copy, head), objectFormat: head.objectFormat };
    },
  };
}

interface Copy {
  readonly git: HostGit;
  readonly source: Source;
  readonly mirror: string;
  readonly lock: string;
  readonly signal: AbortSignal;
}

/** Where HEAD of the remote points; all absent in a repository without a commit. */
interface Head {
  readonly commit: string | undefined;
  readonly branches: ReadonlyMap<string, string>;
  readonly objectFormat: 'sha1' | 'sha256';
}

/** What git is told, to reach a repository. */
interface Source {
  readonly url: string;
  readonly reaching: Pick<GitOptions, 'secretConfig' | 'trusted'>;
  readonly uploadPack: readonly string[];
}

async function sourceOf(repository: string, own: readonly string[]): Promise<Source> {
  const remote = parseRemote(repository);
  if (remote === undefined)
    throw runFailure('repository', `The repository '${repository}' is neither an absolute path nor a URL that git can clone`);
  const { url, secretConfig } = remote;
  if (!url.startsWith('/')) return { url, reaching: { secretConfig }, uploadPack: [] };
  const local = await findLocal(url, own);
  const isOurs = local.uid === process.geteuid?.();
  return { url: local.path, reaching: { trusted: isOurs ? undefined : local.path }, uploadPack: [uploadPackOf(local)] };
}

/**
 * Without guessing other folders than the one that was looked at. A root worker reads another user's repository as that user,
 * who can lead git with links and alternates to what that user may read anyway, and without the worker's environment, which
 * the user could see. Git hands the words to a shell: nothing in them comes from outside.
 */
function uploadPackOf({ uid, gid }: Local): string {
  if (process.geteuid?.() !== 0 || uid === 0) return '--upload-pack=git-upload-pack --strict';
  const env = `env -i PATH=/usr/local/bin:/usr/bin:/bin LC_ALL=C GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null GIT_PROTOCOL=version=2`;
  return `--upload-pack=${env} setpriv --reuid=${uid} --regid=${gid} --clear-groups --no-new-privs git-upload-pack --strict`;
}

async function readHead({ git, source, signal }: Copy): Promise<Head> {
  const listed = await git(['ls-remote', '--quiet', ...source.uploadPack, '--', source.url, 'HEAD', 'refs/heads/*'], {
    ...source.reaching,
    signal,
  });
  const refs = new Map(
    listed
      .split('\n')
      .filter(Boolean)
      .map(line => line.split('\t'))
      .map(([commit = '', name = '']) => [name, commit]),
  );
  const branches = new Map([...refs].filter(([name]) => name.startsWith('refs/heads/')));
  const anyCommit = [...refs.values()][0] ?? '';
  return { commit: refs.get('HEAD'), branches, objectFormat: anyCommit.length === 64 ? 'sha256' : 'sha1' };
}

async function update({ git, source, mirror, lock, signal }: Copy, head: Head): Promise<void> {
  const inMirror = { lock, signal };
  await clearLocks(mirror, lock);
  await git(
    ['init', '--quiet', '--bare', '--template=', '--shared=0644', `--object-format=${head.objectFormat}`, '--', mirror],
    inMirror,
  );
  if (head.commit === undefined && head.branches.size === 0) return;
  const refs = [
    '+refs/heads/*:refs/heads/*',
    '+refs/tags/*:refs/tags/*',
    ...(head.commit === undefined ? [] : ['+HEAD:refs/skep/head']),
  ];
  const how = ['--quiet', '--no-auto-maintenance', '--no-write-fetch-head', '--update-shallow', '--prune', '--no-tags'];
  await git([`--git-dir=${mirror}`, 'fetch', ...how, ...source.uploadPack, '--', source.url, ...refs], {
    ...inMirror,
    ...source.reaching,
    timeoutMs: fetchTimeoutMs,
  });
}

/** The remote may have moved on since it was read: what counts is what was fetched. */
async function baseOf({ git, mirror, signal }: Copy, head: Head): Promise<string | undefined> {
  const ref = head.commit === undefined ? likelyBranch(head.branches) : 'refs/skep/head';
  if (ref === undefined) return undefined;
  const base = await git([`--git-dir=${mirror}`, 'rev-parse', '--verify', '--end-of-options', `${ref}^{commit}`], { signal });
  return base.trim();
}

/** HEAD of a bare repository often names a branch that was never made. */
function likelyBranch(branches: ReadonlyMap<string, string>): string | undefined {
  const [only, ...others] = branches.keys();
  const known = ['refs/heads/main', 'refs/heads/master'].find(name => branches.has(name));
  if (known !== undefined || others.length === 0) return known ?? only;
  throw runFailure(
    'repository',
    'HEAD of the repository names a branch that does not exist, and there is no main or master: point HEAD at the branch to start from',
  );
}
