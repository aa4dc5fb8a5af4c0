import { createHash } from 'node:crypto';
import { access, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { runFailure } from '../failure.ts';
import { clearLocks, createHostGit } from './git.ts';
import type { HostGit } from './git.ts';
import { parseRemote } from './remote.ts';
import type { Remote } from './remote.ts';

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

const fetchTimeoutMs = 600_000;

/**
 * Bare copies of the users' repositories, one per address, shared by all runs and all workers of a folder. A user's repository
 * is only read. A copy is a cache: it may be deleted while no run uses it.
 */
export async function createRepositories(folder: string): Promise<Repositories> {
  await mkdir(folder, { recursive: true });
  const git = await createHostGit(folder);
  return {
    async open(repository, signal) {
      if (repository === null) return { mirror: undefined, base: undefined, objectFormat: 'sha1' };
      const remote = await reachable(repository);
      const at = join(folder, createHash('sha256').update(repository).digest('hex'));
      const copy: Copy = { git, remote, mirror: `${at}.git`, lock: `${at}.lock`, signal };
      const head = await readHead(copy);
      await update(copy, head);
      return { mirror: copy.mirror, base: await baseOf(copy, head), objectFormat: head.objectFormat };
    },
  };
}

interface Copy {
  readonly git: HostGit;
  readonly remote: Remote;
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

async function reachable(repository: string): Promise<Remote> {
  const remote = parseRemote(repository);
  if (remote === undefined)
    throw runFailure('repository', `The repository '${repository}' is neither an absolute path nor a URL that git can clone`);
  const isGone =
    remote.url.startsWith('/') &&
    (await access(remote.url).then(
      () => false,
      () => true,
    ));
  if (isGone) throw runFailure('repository', `There is no ${remote.url} on the worker's machine`);
  return remote;
}

async function readHead({ git, remote, signal }: Copy): Promise<Head> {
  const listed = await git(['ls-remote', '--quiet', '--', remote.url, 'HEAD', 'refs/heads/*'], { ...reaching(remote), signal });
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

async function update({ git, remote, mirror, lock, signal }: Copy, head: Head): Promise<void> {
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
  await git([`--git-dir=${mirror}`, 'fetch', ...how, '--', remote.url, ...refs], {
    ...inMirror,
    ...reaching(remote),
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

function reaching(remote: Remote): { secretConfig: Readonly<Record<string, string>> } {
  return { secretConfig: remote.secretConfig };
}
