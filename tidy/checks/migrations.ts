import type { Finding, Source } from './finding.ts';
import { checkLocked } from './locked.ts';

export const LOCK = 'tidy/migrations.lock';

/**
 * Migrations are numbered without a gap and never change once they are locked: a server somewhere has run them.
 * `lock` holds a line `<file name> <sha256>` for each; lines that begin with # are comment.
 */
export function checkMigrations(migrations: readonly Source[], lock: string): Finding[] {
  return [
    ...checkNumbers(migrations),
    ...checkLocked(migrations, {
      path: LOCK,
      text: lock,
      nameOf,
      instead: 'write a new migration instead',
      gone: 'a server somewhere has run it, bring it back',
    }),
  ];
}

function checkNumbers(migrations: readonly Source[]): Finding[] {
  return [...migrations]
    .sort((a, b) => (nameOf(a.path) < nameOf(b.path) ? -1 : 1))
    .flatMap(({ path }, i) => {
      const number = String(i + 1).padStart(4, '0');
      const fits = new RegExp(`^${number}_[a-z0-9_]+[.]sql$`).test(nameOf(path));
      return fits
        ? []
        : [{ path, line: 0, says: `should be named ${number}_words_of_it.sql: numbers run from 0001 without a gap` }];
    });
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
