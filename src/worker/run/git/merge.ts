import { runFailure } from '../../failure.ts';
import type { Sandbox } from '../../sandbox.ts';
import { gitInside } from './inside.ts';

/** A merge that is to be resolved: `theirs` is merged into `ours`, which is checked out. */
export interface Conflict {
  readonly ours: string;
  readonly theirs: string;
  /** With markers, or deleted on one side; at most `filesMax` of them. Empty where git could merge it all by itself. */
  readonly files: readonly string[];
}

const filesMax = 100;
const pathBytesMax = 32_768;

/** Begins the merge inside the sandbox and leaves it uncommitted. Throws a run failure `repository` or `invalid_task`. */
export async function beginMerge(
  sandbox: Sandbox,
  { ours, theirs, signal }: Omit<Conflict, 'files'> & { readonly signal: AbortSignal },
): Promise<Conflict> {
  const answer = await gitInside(sandbox, script, { args: [theirs], signal });
  if (answer.exit.reason === 'exited' && answer.exit.code === nothingToMerge)
    throw runFailure('invalid_task', `There is nothing to merge: ${ours} has all of ${theirs}`);
  if (!answer.ok) throw runFailure('repository', `The merge could not be begun: ${answer.words}`);
  return { ours, theirs, files: bounded(answer.stdout.split('\0').filter(Boolean)) };
}

const nothingToMerge = 93;

// A merge with conflicts and one that could not begin end alike; the first leaves MERGE_HEAD.
const script = `
git merge --quiet --no-commit --no-ff --no-verify "$1" >&2 || git rev-parse --quiet --verify MERGE_HEAD > /dev/null
git rev-parse --quiet --verify MERGE_HEAD > /dev/null || exit ${nothingToMerge}
git diff --name-only --diff-filter=U -z`;

/** What fits into one variable of the environment. */
function bounded(files: readonly string[]): readonly string[] {
  let bytes = 0;
  return files.slice(0, filesMax).filter(file => (bytes += Buffer.byteLength(file) + 1) <= pathBytesMax);
}
