import type { MemoryPostgres, Session } from '../postgres/types.ts';
import type { Storage, StorageTransaction, Tuple, Value } from '../postgres/storage/types.ts';
import type { Change, Commit, Facts, Snapshot, Spoken, TableName } from './types.ts';

/** Tables whose rows are compared after each commit. */
const watched: readonly TableName[] = [
  'runs',
  'tickets',
  'trunks',
  'changes',
  'sessions',
  'questions',
  'reviews',
  'specs',
  'blobs',
  'run_logs',
];

/** What reads only: after it there is nothing to compare. */
const readOnly = /^\s*select\b(?![\s\S]*\b(?:sequence_events|enqueue|force_unlock_workers|hold_budgets)\b)/;

const hashBytes = 32;

interface FeedOptions {
  /** The database's time, milliseconds. */
  readonly now: () => number;
  readonly onCommit: (commit: Commit, now: Snapshot) => void;
}

/**
 * The same database, watched: after each commit the rows that it changed, found by comparing the versions that storage keeps, which asks
 * no statement and costs next to nothing; and the lease tokens that were said in it.
 */
export function watchCommits(
  postgres: MemoryPostgres & { readonly storage: Storage },
  { now, onCommit }: FeedOptions,
): MemoryPostgres {
  const rows = createRows(postgres.storage);
  const isReading = new Map<string, boolean>();

  function committed(spoken: ReadonlyMap<string, Spoken>): void {
    const changes = rows.changes();
    if (changes.length > 0) onCommit({ at: now(), spoken, changes }, rows);
  }

  function reads(text: string): boolean {
    const known = isReading.get(text);
    if (known !== undefined) return known;
    const found = readOnly.test(text);
    isReading.set(text, found);
    return found;
  }

  return {
    onNotify: callback => postgres.onNotify(callback),
    connect(role) {
      return watchSession(postgres.connect(role), { now, reads, committed });
    },
  };
}

interface Watch {
  readonly now: () => number;
  readonly reads: (text: string) => boolean;
  readonly committed: (spoken: ReadonlyMap<string, Spoken>) => void;
}

function watchSession(session: Session, { now, reads, committed }: Watch): Session {
  let spoken = new Map<string, Spoken>();
  let hasWritten = false;
  const forget = (): void => {
    spoken = new Map();
    hasWritten = false;
  };
  return {
    run(text, values = []) {
      const answer = session.run(text, values);
      hear(values, spoken, now());
      hasWritten ||= !reads(text);
      if (session.transaction === undefined) {
        if (hasWritten) committed(spoken);
        forget();
      }
      return answer;
    },
    begin: () => session.begin(),
    commit() {
      session.commit();
      if (hasWritten) committed(spoken);
      forget();
    },
    rollback() {
      session.rollback();
      forget();
    },
    end() {
      session.end();
      forget();
    },
    get transaction() {
      return session.transaction;
    },
  };
}

function hear(values: readonly unknown[], spoken: Map<string, Spoken>, at: number): void {
  for (const value of values) {
    if (Array.isArray(value)) hear(value, spoken, at);
    else if (Buffer.isBuffer(value) && value.length === hashBytes) {
      const key = value.toString('latin1');
      spoken.set(key, { first: spoken.get(key)?.first ?? at, last: at });
    }
  }
}

interface Kept {
  readonly version: readonly Value[];
  readonly facts: Facts;
}

interface Rows extends Snapshot {
  /** Since the last time that this was asked. */
  changes(): Change[];
}

function createRows(storage: Storage): Rows {
  const reader = storage.begin();
  const kept = new Map<TableName, (Kept | undefined)[]>(watched.map(table => [table, []]));
  const names = new Map<string, readonly string[]>();

  function factsOf(table: string, version: readonly Value[]): Facts {
    let columns = names.get(table);
    if (columns === undefined) {
      columns = storage.catalog.table(table).columns.map(({ name }) => name);
      names.set(table, columns);
    }
    const facts: Record<string, unknown> = {};
    for (let i = 0; i < columns.length; i++) facts[columns[i] ?? ''] = version[i];
    return facts;
  }

  function compare(table: TableName, changes: Change[]): void {
    const known = kept.get(table) ?? [];
    for (const tuple of reader.scan(table)) {
      const version = reader.read(tuple);
      const before = known[tuple.id];
      if (version === before?.version) continue;
      const after = version === undefined ? undefined : { version, facts: factsOf(table, version) };
      known[tuple.id] = after;
      changes.push({ table, before: before?.facts, after: after?.facts } as Change);
    }
  }

  return {
    changes() {
      const changes: Change[] = [];
      for (const table of watched) compare(table, changes);
      return changes;
    },
    all(table) {
      const known = kept.get(table);
      const facts =
        known === undefined ? readAll(reader, table) : known.flatMap(each => (each === undefined ? [] : [each.facts]));
      return facts as never;
    },
  };

  function readAll(from: StorageTransaction, table: string): Facts[] {
    return from.scan(table).flatMap((tuple: Tuple) => {
      const version = from.read(tuple);
      return version === undefined ? [] : [factsOf(table, version)];
    });
  }
}
