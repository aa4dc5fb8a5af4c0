import { isBranchName, isObjectId } from '../../../git/index.ts';
import { Fault, isFault } from '../../../kernel/fault.ts';
import type { Publication } from '../../../support/repositories/upstream.ts';
import { explained } from './explain.ts';
import { listRefs } from './refs.ts';
import type { Reach } from './refs.ts';
import { asOwner } from './source.ts';

/** See Upstream.publish. `timeoutMs` of `reach` is for a look; the push may take `pushTimeoutMs`. */
export async function publish(reach: Reach, what: Publication, pushTimeoutMs: number): Promise<void> {
  if (!isBranchName(what.branch) || !isObjectId(what.commit)) throw new Error('no name of a branch or a commit');
  if (await isPublished(reach, what)) return;
  await refuseConfiguredHooks(reach);
  const refusal = await push({ ...reach, timeoutMs: pushTimeoutMs }, what);
  if (refusal === undefined) return;
  // Of two pushes of the same commit at once, one is refused, and yet all is well.
  if (await isPublished(reach, what)) return;
  throw refusal;
}

/** Whether the branch is at the commit. Throws Fault `branch_exists` where it is at what is not expected. */
async function isPublished(reach: Reach, { branch, commit, expected }: Publication): Promise<boolean> {
  const ref = `refs/heads/${branch}`;
  const { commits, links } = await listRefs(reach, [ref]);
  const at = commits.get(ref);
  const link = links.get(ref);
  if (link !== undefined)
    throw new Fault('branch_exists', {
      message: `The branch ${branch} of ${reach.source.url} is another name for ${link}`,
      hint: `Remove that link: git symbolic-ref --delete ${ref}`,
    });
  if (at === commit) return true;
  if (at === expected) return false;
  throw new Fault('branch_exists', {
    message: at === undefined ? `The branch ${branch} is gone` : `The branch ${branch} is at ${at}, which is not Skep's work`,
    hint: `Rename or remove the branch ${branch} of ${reach.source.url}, and publish again`,
  });
}

/** No setting of a command line can forget the hooks that a repository's settings define by name (git 2.54 and newer). */
async function refuseConfiguredHooks({ git, source, signal, timeoutMs }: Reach): Promise<void> {
  if (source.local === undefined) return;
  const { stdout } = await git.run([`--git-dir=${source.url}`, 'config', '--name-only', '--get-regexp', '^hook[.]'], {
    ...{ trusted: source.reaching.trusted, through: asOwner(source.local), accepts: [0, 1], signal, timeoutMs },
  });
  if (stdout.length === 0) return;
  throw new Fault('push_refused', {
    message: `The settings of ${source.url} define hooks (hook.*), which Skep would run on this machine`,
    hint: 'Move them to your own settings: git config --global',
  });
}

async function push({ git, source, signal, timeoutMs }: Reach, what: Publication): Promise<Fault | undefined> {
  const ref = `refs/heads/${what.branch}`;
  const how = ['--porcelain', '--no-verify', '--no-signed', '--no-follow-tags', '--recurse-submodules=no'];
  const lease = `--force-with-lease=${ref}:${what.expected ?? ''}`;
  const args = [
    `--git-dir=${what.gitDir}`,
    'push',
    ...how,
    lease,
    ...source.receivePack,
    '--',
    source.url,
    `${what.commit}:${ref}`,
  ];
  try {
    const answer = await git.run(args, { ...source.reaching, accepts: [0, 1], signal, timeoutMs });
    if (answer.exitCode === 0) return undefined;
    return refusalOf(`${answer.stdout.toString('utf8')}\n${answer.words}`, what.branch);
  } catch (error) {
    if (isFault(error, 'repository_unavailable') && mayNot.test(error.message)) return refusalOf(error.message, what.branch);
    throw explained(error, source);
  }
}

const mayNot = /error: 40[13]|permission|denied|read-only|not permitted|not enabled|unable to create (temporary|directory)/i;

type Hint = readonly [words: RegExp, hint: string];

const hints: readonly Hint[] = [
  [/currently checked out|branch is checked out/, 'Check out another branch there, and publish again'],
  [/shallow update not allowed/, 'Fetch the whole history there first: git fetch --unshallow'],
  // Before what a missing permission leads to.
  [mayNot, 'Let Skep write to it: the owner of a folder, or the token of a URL, needs the right to push'],
  [
    /cannot lock ref|exists; cannot create/,
    'Rename the branch whose name is in the way, or remove the lock that a killed git left',
  ],
  [/proc-receive/, 'Remove receive.procReceiveRefs from its settings: Skep runs no hooks of a repository'],
];

function refusalOf(words: string, branch: string): Fault {
  const said = /^!\t\S+\t(.*)$/m.exec(words)?.[1] ?? '';
  const [, hint = 'See what the repository says, mend it, and publish again'] = hints.find(([known]) => known.test(words)) ?? [];
  const detail = words
    .split('\n')
    .filter(line => !/^(To |Done|!\t|error: failed to push)/.test(line) && line.trim() !== '')
    .join(' ');
  return new Fault('push_refused', {
    message: `The branch ${branch} was not taken: ${[said, detail].filter(Boolean).join(': ').slice(0, 1_000)}`,
    hint,
  });
}
