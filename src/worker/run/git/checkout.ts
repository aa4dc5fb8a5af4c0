import { runFailure } from '../../failure.ts';
import type { Sandbox } from '../../sandbox.ts';
import { gitInside, templatePath } from './inside.ts';

/** Where a sandbox sees the bare copy of the repository, read-only. */
export const mirrorInside = '/skep/repository.git';

export interface CheckOut {
  readonly branch: string;
  readonly commit: string;
  readonly objectFormat: 'sha1' | 'sha256';
  /** Fetched too, to be merged in. */
  readonly merge: string | null;
  readonly signal: AbortSignal;
}

/**
 * Makes the agent's own repository in the workspace, on `branch` at the commit: no remote, and nothing shared with the copy on
 * the host. It happens inside the sandbox since a check-out can run programs. Returns false where the copy lacks something;
 * throws a run failure `repository`.
 */
export async function checkOut(sandbox: Sandbox, { branch, commit, objectFormat, merge, signal }: CheckOut): Promise<boolean> {
  const args = [branch, objectFormat, mirrorInside, commit, ...(merge === null ? [] : [merge])];
  const { ok, exit, words } = await gitInside(sandbox, script, { args, signal });
  if (ok) return true;
  if (exit.reason === 'exited' && exit.code === lacking) return false;
  throw runFailure('repository', `The check-out failed: ${words}`);
}

/** What git itself never ends with. */
const lacking = 93;

// What git fetch does, in half of its time. Where an object is missing, the pack ends too early and is refused.
const script = `
git init --quiet --template=${templatePath} --initial-branch="$1" --object-format="$2"
[ ! -e "$3/shallow" ] || cp "$3/shallow" .git/shallow
printf '%s\\n' "$4" \${5:+"$5"} | git --git-dir="$3" pack-objects --quiet --revs --stdout --window=0 |
  git index-pack --stdin > /dev/null || exit ${lacking}
git reset --quiet --hard "$4"`;

/**
 * Puts tracked files back to how they are in the commit, after a program that may have changed them; what is ignored stays, and
 * `isThorough` takes away what is neither tracked nor ignored. Returns false where the program has broken the repository.
 */
export async function restore(
  sandbox: Sandbox,
  { commit, isThorough, signal }: { commit: string; isThorough: boolean; signal: AbortSignal },
): Promise<boolean> {
  const { ok } = await gitInside(sandbox, restoreScript, { args: [commit, ...(isThorough ? ['thorough'] : [])], signal });
  return ok;
}

// A program that was killed may have left the lock.
const restoreScript = `
rm -f .git/index.lock
git reset --quiet --hard "$1"
[ -z "$2" ] || git clean --quiet --force -d`;
