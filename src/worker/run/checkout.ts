import { runFailure } from '../failure.ts';
import type { Origin } from '../repository/index.ts';
import type { Sandbox } from '../sandbox.ts';
import { gitInside } from './inside.ts';

/** Where a sandbox sees the bare copy of the repository, read-only. */
export const mirrorInside = '/skep/repository.git';

/**
 * Makes the agent's own repository in the workspace, on `branch` from the base commit: no remote, and nothing shared with the
 * copy on the host. It happens inside the sandbox since a check-out can run programs. Throws a run failure `repository`.
 */
export async function checkOut(sandbox: Sandbox, at: { origin: Origin; branch: string; signal: AbortSignal }): Promise<void> {
  const { origin, branch, signal } = at;
  const git = async (...args: string[]): Promise<void> => {
    const answer = await gitInside(sandbox, args, { signal });
    if (answer.reason === 'not_found') throw runFailure('sandbox', answer.words);
    if (answer.code !== 0) throw runFailure('repository', `The check-out failed: ${answer.words}`);
  };
  await git(
    'init',
    '--quiet',
    '--template=/skep/git-template',
    `--object-format=${origin.objectFormat}`,
    `--initial-branch=${branch}`,
  );
  if (origin.base === undefined) return;
  const into = `${origin.base}:refs/heads/${branch}`;
  await git(
    'fetch',
    '--quiet',
    '--no-write-fetch-head',
    '--update-head-ok',
    '--update-shallow',
    '--',
    `file://${mirrorInside}`,
    into,
  );
  await git('reset', '--quiet', '--hard');
}
