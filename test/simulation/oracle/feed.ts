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
  'brakes',
  'run_limits',
  'model_calls',
  'budgets',
  'breakers',
];

const hashBytes = 32;

interface FeedOptions {
  /** The database's time, milliseconds. */
  readonly now: () => number;
  readonly onCommit: (commit: Commit, now: Snapshot) => void;
}

/**
 * The same database, watched: after each commit the rows that it changed, found by the versions that storage keeps, which asks no
 * statement and costs next to nothing; and the lease tokens that were said in it.
 */
export function watchCommits(
  postgres: MemoryPostgres & { readonly storage: Storage },
  { now, onCommit }: FeedOptions,
): MemoryPostgres {
  const rows = createRows(postgres.storage);

  function committed(spoken: ReadonlyMap<string, Spoken>): void {
    const changes = rows.changes();
    if (changes.length > 0) onCommit({ at: now(), spoken, changes }, rows);
  }

  return {
    onNotify: callback => postgres.onNotify(callback),
    connect(role) {
      return watchSession(postgres.connect(role), { now, committed });
    },
  };
}

interface Watch {
  readonly now: () => number;
  readonly committed: (spoken: ReadonlyMap<string, Spoken>) => void;
}

const nobody: ReadonlyMap<string, Spoken> = new Map();

function watchSession(session: Session, { now, committed }: Watch): Session {
  let spoken: Map<string, Spoken> | undefined;
  const over = (): void => {
    committed(spoken ?? nobody);
    spoken = undefined;
  };
  const hearOf = (hash: Buffer): void => {
    spoken ??= new Map();
    const key = hash.toString('latin1');
    const at = now();
    spoken.set(key, { first: spoken.get(key)?.first ?? at, last: at });
  };
  return {
    run(text, values = []) {
      const answer = session.run(text, values);
      hear(values, hearOf);
      if (session.transaction === undefined) over();
      return answer;
    },
    begin: () => session.begin(),
    commit() {
      session.commit();
      over();
    },
    rollback() {
      session.rollback();
      spoken = undefined;
    },
    end() {
      session.end();
      spoken = undefined;
    },
    get transaction() {
      return session.transaction;
    },
  };
}

function hear(values: readonly unknown[], hearOf: (hash: Buffer) => void): void {
  for (const value of values) {
    if (Array.isArray(value)) hear(value, hearOf);
    else if (Buffer.isBuffer(value) && value.length === hashBytes) hearOf(value);
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
  /** Written by commits that were not looked at yet. */
  let written: Tuple[] = [];
  storage.onWrite(tuples => {
    for (const tuple of tuples) if (kept.has(tuple.table as TableName)) written.push(tuple);
  });

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

  /** Undefined where nothing is to be said: one that is gone is no rule's affair. */
  function changeOf(tuple: Tuple): Change | undefined {
    const table = tuple.table as TableName;
    const known = kept.get(table) ?? [];
    const version = reader.read(tuple);
    const before = known[tuple.id];
    if (version === undefined) known[tuple.id] = undefined;
    if (version === undefined || version === before?.version) return undefined;
    const after = { version, facts: factsOf(table, version) };
    known[tuple.id] = after;
    return { table, before: before?.facts, after: after.facts } as Change;
  }

  const order = (a: Tuple, b: Tuple): number =>
    watched.indexOf(a.table as TableName) - watched.indexOf(b.table as TableName) || a.id - b.id;

  return {
    changes() {
      if (written.length === 0) return [];
      const tuples = written.sort(order);
      written = [];
      return tuples.flatMap(tuple => changeOf(tuple) ?? []);
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
