import { execFileSync } from 'node:child_process';

const WHO = { NAME: 'Ann', EMAIL: 'ann@example.org', DATE: '2025-01-01T00:00:00Z' };

/** Nobody's configuration and one identity at one time: the same files make the same commit on every machine. */
const ENVIRONMENT = {
  HOME: '/nonexistent',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_TERMINAL_PROMPT: '0',
  ...Object.fromEntries(
    ['AUTHOR', 'COMMITTER'].flatMap(role => Object.entries(WHO).map(([name, value]) => [`GIT_${role}_${name}`, value])),
  ),
};

/** Runs git in `folder` as it comes, with all that the repository configures; its output without the last line end. Throws when git fails. */
export function git(folder: string, ...args: string[]): string {
  const env = { PATH: process.env['PATH'], ...ENVIRONMENT };
  return execFileSync('git', args, { cwd: folder, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trimEnd();
}

/** Makes `folder` a repository with one commit on `main` of all that is in it, ignored or not; the id of the commit. */
export function commitAll(folder: string): string {
  git(folder, 'init', '--quiet', '--initial-branch=main');
  git(folder, 'add', '--all', '--force');
  git(folder, 'commit', '--quiet', '--message=first');
  return git(folder, 'rev-parse', 'HEAD');
}
