import { createHash } from 'node:crypto';
import type { Finding, Source } from './finding.ts';

export const LOCK = 'tidy/migrations.lock';

/**
 * Migrations are numbered without a gap and never change once they are locked: a server somewhere has run them.
 * `lock` holds a line `<file name> <sha256>` for each; lines that begin with # are comment.
 */
export function checkMigrations(migrations: readonly Source[], lock: string): Finding[] {
  const locked = new Map(lockLines(lock).map(line => line.split(' ') as [string, string | undefined]));
  const names = new Set(migrations.map(({ path }) => nameOf(path)));
  const gone = [...locked.keys()].filter(name => !names.has(name));
  return [
    ...checkNumbers(migrations),
    ...migrations.flatMap(migration => checkLocked(migration, locked.get(nameOf(migration.path)))),
    ...gone.map(name => ({
      path: LOCK,
      line: 0,
      says: `${name} is locked and gone: a server somewhere has run it, bring it back`,
    })),
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

function checkLocked({ path, text }: Source, hash: string | undefined): Finding[] {
  const present = createHash('sha256').update(text).digest('hex');
  if (hash === undefined) return [{ path, line: 0, says: `is not locked yet: append "${nameOf(path)} ${present}" to ${LOCK}` }];
  return hash === present ? [] : [{ path, line: 0, says: 'has changed after it was locked: write a new migration instead' }];
}

function lockLines(lock: string): string[] {
  return lock.split('\n').filter(line => line !== '' && !line.startsWith('#'));
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
