import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { HostGit } from '../../../git/index.ts';
import { Fault } from '../../../kernel/fault.ts';
import { explained } from './explain.ts';
import type { Source } from './source.ts';

export interface Reach {
  readonly git: HostGit;
  readonly source: Source;
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
}

/** What a repository shows of itself. */
export interface Listing {
  /** Full names of refs, HEAD among them, to commits. */
  readonly commits: ReadonlyMap<string, string>;
  /** Refs that are another name for a ref. */
  readonly links: ReadonlyMap<string, string>;
}

/** Asks for refs of these names or patterns. Throws Fault `repository_unavailable`. */
export async function listRefs({ git, source, signal, timeoutMs }: Reach, names: readonly string[]): Promise<Listing> {
  const args = ['ls-remote', '--quiet', '--symref', ...source.uploadPack, '--', source.url, ...names];
  const listed = await git.text(args, { ...source.reaching, signal, timeoutMs }).catch((error: unknown) => {
    throw explained(error, source);
  });
  const pairs = listed
    .split('\n')
    .filter(Boolean)
    .map(line => line.split('\t') as [string, string]);
  const isLink = (value: string): boolean => value.startsWith('ref: ');
  return {
    commits: new Map(pairs.filter(([value]) => !isLink(value)).map(([value, name]) => [name, value])),
    links: new Map(pairs.filter(([value]) => isLink(value)).map(([value, name]) => [name, value.slice('ref: '.length)])),
  };
}

/** Where work starts. */
export interface Start {
  readonly ref: string;
  readonly commit: string;
}

/**
 * HEAD of a bare repository often names a branch that was never made: then it is main or master, or the only branch that is not
 * Skep's. Undefined in a repository without a commit of the user's. Throws Fault `repository_unavailable` where only a person can say.
 */
export async function startWithoutHead(reach: Reach): Promise<Start | undefined> {
  const { commits } = await listRefs(reach, ['refs/heads/*']);
  const branches = new Map([...commits].filter(([name]) => /^refs\/heads\/(?!skep\/)/.test(name)));
  const [only, ...others] = branches.keys();
  const known = ['refs/heads/main', 'refs/heads/master'].find(name => branches.has(name));
  const ref = known ?? (others.length === 0 ? only : undefined);
  const commit = branches.get(ref ?? '');
  if (ref !== undefined && commit !== undefined) return { ref, commit };
  if (branches.size === 0) return undefined;
  throw new Fault('repository_unavailable', {
    message: `HEAD of ${reach.source.url} names a branch that does not exist, and there is no main or master`,
    hint: 'Point HEAD at the branch to start from: git symbolic-ref HEAD refs/heads/<branch>',
  });
}

/** An empty repository shows no commit to tell its format by. */
export async function objectFormatOf({ local }: Source, anyCommit: string | undefined): Promise<'sha1' | 'sha256'> {
  if (anyCommit !== undefined) return anyCommit.length === 64 ? 'sha256' : 'sha1';
  const settings = local === undefined ? '' : await readFile(join(local.common, 'config'), 'utf8').catch(() => '');
  return /^\s*objectformat\s*=\s*"?sha256/im.test(settings) ? 'sha256' : 'sha1';
}
