import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { shellWord } from '../output/text.ts';
import type { BuildOptions } from './options.ts';

/** The lines that a person types next: as they must be typed here, and to be pasted into a shell. */
export interface Commands {
  resume(words?: readonly string[]): string;
  skep(...words: readonly string[]): string;
  /** What shows, and what takes, the branch in the user's repository. */
  git(repository: string, branch: string): readonly string[];
}

export function commandsOf({ home, server, tokenFile }: BuildOptions): Commands {
  const at = [
    ...(home === undefined ? [] : ['--home', home]),
    ...(server === undefined ? [] : ['--server', server]),
    ...(tokenFile === undefined ? [] : ['--token-file', tokenFile]),
  ];
  const line = (words: readonly string[]) => ['skep', ...words, ...at].map(shellWord).join(' ');
  return {
    resume: (words = []) => line(['build', '--resume', ...words]),
    skep: (...words) => line(words),
    git(repository, branch) {
      if (!repository.startsWith('/'))
        return [words('git', 'fetch', repository, `${branch}:${branch}`), words('git', 'log', '--stat', branch)];
      const inside = ['git', '-C', repository];
      const log = words(...inside, 'log', '--stat', branch);
      // A bare one has no working tree to merge into.
      return existsSync(join(repository, '.git')) ? [log, words(...inside, 'merge', branch)] : [log];
    },
  };
}

function words(...all: readonly string[]): string {
  return all.map(shellWord).join(' ');
}
