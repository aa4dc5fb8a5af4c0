import { runFailure } from '../failure.ts';
import type { Origin } from '../repository/index.ts';
import type { Sandbox } from '../sandbox.ts';
import { gitInside, templatePath } from './inside.ts';

/** Where a sandbox sees the bare copy of the repository, read-only. */
export const mirrorInside = '/skep/repository.git';

/**
 * Makes the agent's own repository in the workspace, on `branch` from the base commit: no remote, and nothing shared with the
 * copy on the host. It happens inside the sandbox since a check-out can run programs. Throws a run failure `repository`.
 */
export async function checkOut(sandbox: Sandbox, at: { origin: Origin; branch: string; signal: AbortSignal }): Promise<void> {
  const { origin, branch, signal } = at;
  const args = [branch, origin.objectFormat, origin.base ?? '', `file://${mirrorInside}`];
  const answer = await gitInside(sandbox, script, { args, signal });
  if (!answer.ok) throw runFailure('repository', `The check-out failed: ${answer.words}`);
}

const script = `
git init --quiet --template=${templatePath} --initial-branch="$1" --object-format="$2"
[ -n "$3" ] || exit 0
git fetch --quiet --no-write-fetch-head --update-head-ok --update-shallow -- "$4" "$3:refs/heads/$1"
git reset --quiet --hard`;
