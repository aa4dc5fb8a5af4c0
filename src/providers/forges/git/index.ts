import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { createHostGit, isBranchName, isSkepRef } from '../../../git/index.ts';
import type { HostGit } from '../../../git/index.ts';
import type { Clock } from '../../../kernel/clock.ts';
import { Fault } from '../../../kernel/fault.ts';
import type { FetchTarget, Look, Upstream } from '../../../support/repositories/upstream.ts';
import { explained } from './explain.ts';
import { publish } from './publish.ts';
import { listRefs, objectFormatOf, startWithoutHead } from './refs.ts';
import type { Reach } from './refs.ts';
import { isWritable, sourceOf } from './source.ts';
import type { Source } from './source.ts';

interface Options {
  /** Where git's settings are written; it exists. */
  readonly folder: string;
  /** SKEP_HOME: nothing below it is taken for a user's repository. */
  readonly home: string;
  readonly clock: Clock;
  /** A look at refs. */
  readonly lookTimeoutMs?: number;
  /** A fetch or a push. */
  readonly transferTimeoutMs?: number;
}

/** Repositories behind nothing but git: folders of this machine and URLs. Starts nothing that a repository names. */
export async function createGitUpstream(options: Options): Promise<Upstream> {
  const { folder, home, clock, lookTimeoutMs = 60_000, transferTimeoutMs = 900_000 } = options;
  const git = await createHostGit(folder, clock);

  async function reachOf(repository: string, signal: AbortSignal): Promise<Reach> {
    return { git, source: await sourceOf(repository, [home, folder]), signal, timeoutMs: lookTimeoutMs };
  }

  return {
    look: async (repository, { branch, signal }) => look(await reachOf(repository, signal), branch),
    fetch: async (repository, into) => fetch(await reachOf(repository, into.signal), into, transferTimeoutMs),
    publish: async (repository, what) => publish(await reachOf(repository, what.signal), what, transferTimeoutMs),
  };
}

async function look(reach: Reach, branch: string): Promise<Look> {
  if (!isBranchName(branch)) throw new Error('no name of a branch');
  const { source } = reach;
  const ref = `refs/heads/${branch}`;
  const { commits } = await listRefs(reach, ['HEAD', ref, ...above(ref)]);
  const inTheWay = above(ref).find(name => commits.has(name));
  const commit = commits.get('HEAD') ?? (await startWithoutHead(reach))?.commit;
  const branchAt = commits.get(ref);
  const canWrite = source.local === undefined || (await isWritable(source.local));
  return {
    commit,
    branchAt,
    objectFormat: await objectFormatOf(source, commit ?? branchAt),
    isWritable: canWrite && inTheWay === undefined,
    notes: [
      ...((await isShallow(source)) ? ['The repository is shallow: the older part of its history is missing, and stays so'] : []),
      ...(canWrite ? [] : [`The branch ${branch} cannot be written to ${source.url}: the file system does not let its owner`]),
      ...(inTheWay === undefined ? [] : [`The branch ${branch} cannot be made: ${inTheWay} is in its way, rename it`]),
    ],
  };
}

/** Of refs/heads/a/b/c: refs/heads/a and refs/heads/a/b. Git keeps no branch below another. */
function above(ref: string): string[] {
  const parts = ref.split('/');
  return parts.slice(3).map((_, i) => parts.slice(0, i + 3).join('/'));
}

async function isShallow({ local }: Source): Promise<boolean> {
  if (local === undefined) return false;
  const found = await stat(join(local.common, 'shallow')).catch(() => undefined);
  return found !== undefined && found.size > 0;
}

async function fetch(reach: Reach, { gitDir, lock, ref }: FetchTarget, timeoutMs: number): Promise<string> {
  if (!isSkepRef(ref)) throw new Error('no ref of Skep');
  const { git, source, signal } = reach;
  const { commits } = await listRefs(reach, ['HEAD']);
  const from = commits.has('HEAD') ? 'HEAD' : (await startWithoutHead(reach))?.ref;
  if (from === undefined)
    throw new Fault('repository_unavailable', {
      message: `The repository ${source.url} has no commit`,
      hint: 'Make a first commit',
    });
  const how = ['--quiet', '--no-auto-maintenance', '--no-write-fetch-head', '--update-shallow', '--no-tags'];
  const args = [`--git-dir=${gitDir}`, 'fetch', ...how, ...source.uploadPack, '--', source.url, `+${from}:${ref}`];
  await git.run(args, { ...source.reaching, lock, clears: gitDir, signal, timeoutMs }).catch((error: unknown) => {
    throw explained(error, source);
  });
  return headOf(git, { gitDir, ref, signal });
}

/** The repository may have moved on since it was looked at: what counts is what was fetched. */
async function headOf(git: HostGit, at: { gitDir: string; ref: string; signal: AbortSignal }): Promise<string> {
  return git.text([`--git-dir=${at.gitDir}`, 'rev-parse', '--verify', '--end-of-options', `${at.ref}^{commit}`], {
    signal: at.signal,
  });
}
