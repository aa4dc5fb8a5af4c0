import { execFileSync } from 'node:child_process';
import { git } from '../../samples/git.ts';

/** A commit of the first line of a branch: what landed a ticket. */
export interface Landed {
  readonly commit: string;
  /** Where the trunk was, and what the ticket's work is. */
  readonly parents: readonly string[];
  /** By their keys; one may stand there more than once. */
  readonly trailers: Readonly<Record<string, readonly string[]>>;
}

/** What landed on a branch since `base`, first to last, with the trailers as git itself reads them. */
export function landedOn(folder: string, branch: string, base: string): Landed[] {
  const lines = git(folder, 'rev-list', '--first-parent', '--reverse', '--parents', `${base}..refs/heads/${branch}`);
  return lines
    .split('\n')
    .filter(Boolean)
    .map(line => {
      const [commit = '', ...parents] = line.split(' ');
      return { commit, parents, trailers: trailersOf(git(folder, 'show', '--no-patch', '--format=%B', commit)) };
    });
}

function trailersOf(message: string): Landed['trailers'] {
  const text = execFileSync('git', ['interpret-trailers', '--parse'], { input: message, encoding: 'utf8' });
  const trailers: Record<string, string[]> = {};
  for (const line of text.split('\n').filter(Boolean)) {
    const [key = '', value = ''] = line.split(/: (.*)/s);
    (trailers[key] ??= []).push(value);
  }
  return trailers;
}

/** Which tickets landed, in order. */
export function ticketsLanded(landed: readonly Landed[]): string[] {
  return landed.map(({ trailers }) => trailers['Skep-Ticket']?.join() ?? 'none');
}

export function isAncestor(folder: string, older: string, newer: string): boolean {
  try {
    git(folder, 'merge-base', '--is-ancestor', older, newer);
    return true;
  } catch {
    return false;
  }
}

/** The text of a file on a branch; undefined where it has none. */
export function fileOn(folder: string, branch: string, path: string): string | undefined {
  try {
    return git(folder, 'show', `refs/heads/${branch}:${path}`);
  } catch {
    return undefined;
  }
}

export function filesOn(folder: string, branch: string): string[] {
  return git(folder, 'ls-tree', '-r', '--name-only', `refs/heads/${branch}`).split('\n').filter(Boolean);
}

/** Whether the repository has a branch of this name; `git` is not asked to resolve anything else. */
export function hasBranch(folder: string, branch: string): boolean {
  return git(folder, 'for-each-ref', `refs/heads/${branch}`) !== '';
}
