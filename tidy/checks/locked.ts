import { createHash } from 'node:crypto';
import type { Finding, Source } from './finding.ts';

/** Files that never change once they are locked. */
export interface Lock {
  readonly path: string;
  /** A line `<file name> <sha256>` for each; lines that begin with # are comment. */
  readonly text: string;
  /** By which name a file is locked. */
  nameOf(path: string): string;
  /** What to do instead of a change, and why not to remove one. */
  readonly instead: string;
  readonly gone: string;
}

/** Each of `files` is locked as it is, and none that is locked is gone. */
export function checkLocked(files: readonly Source[], lock: Lock): Finding[] {
  const lines = lock.text.split('\n').filter(line => line !== '' && !line.startsWith('#'));
  const locked = new Map(lines.map(line => line.split(' ') as [string, string | undefined]));
  const names = new Set(files.map(({ path }) => lock.nameOf(path)));
  const gone = [...locked.keys()].filter(name => !names.has(name));
  return [
    ...files.flatMap(file => checkOne(file, locked.get(lock.nameOf(file.path)), lock)),
    ...gone.map(name => ({ path: lock.path, line: 0, says: `${name} is locked and gone: ${lock.gone}` })),
  ];
}

export const CORPUS_LOCK = 'tidy/corpus.lock';

const corpus = 'test/replay/corpus/';

/** Event logs that were kept, and what they came to, never change: what Skep once wrote it must be able to read. They are only added. */
export function checkCorpus(files: readonly Source[], lock: string): Finding[] {
  return checkLocked(files, {
    path: CORPUS_LOCK,
    text: lock,
    nameOf: path => path.slice(corpus.length),
    instead: 'bring it back, and let the fold read it as it is (test/replay/corpus.ts)',
    gone: 'servers have such logs, bring it back',
  });
}

function checkOne({ path, text }: Source, hash: string | undefined, lock: Lock): Finding[] {
  const present = createHash('sha256').update(text).digest('hex');
  const line = `${lock.nameOf(path)} ${present}`;
  if (hash === undefined) return [{ path, line: 0, says: `is not locked yet: append "${line}" to ${lock.path}` }];
  return hash === present ? [] : [{ path, line: 0, says: `has changed after it was locked: ${lock.instead}` }];
}
