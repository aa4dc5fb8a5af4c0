import type { Transaction } from '../types.ts';

/**
 * What a row holds: null, boolean, number (all number types), string (text, uuid), Date (timestamptz), Buffer, an array of these, and
 * what `values.ts` adds (Json, Interval). Never changed in place.
 */
export type Value = unknown;
export type Values = readonly Value[];

/** A row as it is kept: it stays itself through all its versions. */
export interface Tuple {
  readonly table: string;
  readonly id: number;
}

export type LockMode = 'update' | 'no key update' | 'share' | 'key share';

/** Tables and their rows as one transaction sees them (READ COMMITTED: its own writes, and what is committed now). */
export interface Storage {
  readonly catalog: Catalog;
  begin(): StorageTransaction;
  /** Calls back at each commit that has notified, once for each channel and payload, in the order in which they were first said. */
  onNotify(callback: (channel: string, payload: string) => void): void;
  /** Calls back at each commit that has written, with the rows that it has inserted, updated and deleted, each once. */
  onWrite(callback: (written: readonly Tuple[]) => void): void;
}

export interface StorageTransaction extends Transaction {
  /** In the order in which they were inserted. */
  scan(table: string): readonly Tuple[];
  /**
   * Those that may have these values in these columns, by a hash where the table has one for them (`Table.lookups`), else all: the caller
   * reads each and compares. None of the values is null.
   */
  find(table: string, columns: readonly string[], values: readonly Value[]): readonly Tuple[];
  /** The version that this transaction sees; undefined where it sees none. */
  read(tuple: Tuple): readonly Value[] | undefined;
  /** Throws Blocked where another holds it in a mode that conflicts; 'skipped' instead with skipLocked. */
  lock(tuple: Tuple, mode: LockMode, how?: { readonly skipLocked?: boolean }): 'locked' | 'skipped';
  advisoryLock(key: bigint | number | string): void;
  /** `lock table … in share row exclusive mode`: until this transaction is over nobody else writes to it. */
  lockTable(table: string): void;
  /** Said by each statement that writes to it, before any part of it begins: it waits for who has locked the table even where it finds no row. */
  willWrite(table: string): void;
  /**
   * Every column has its value: defaults, and what triggers make of them, are filled in by the evaluator.
   * Throws SqlError 23505, 23502, 23514; Blocked where it hangs on what another transaction will do. Foreign keys: see endStatement.
   */
  insert(table: string, values: readonly Value[]): Tuple;
  /** Locks the row as PostgreSQL would: `update` where a unique key changes, else `no key update`. */
  update(tuple: Tuple, values: readonly Value[]): void;
  remove(tuple: Tuple): void;
  /** For `on conflict`: the row in whose way these values would stand, of this unique index or of any. Throws as insert does, but 23505. */
  conflicting(table: string, values: readonly Value[], index?: UniqueIndex): Tuple | undefined;
  nextval(sequence: string): number;
  /**
   * To be called when a statement of a client is through, before its rows are given out: foreign keys are looked at here, as PostgreSQL
   * does. Throws SqlError 23503, and Blocked. What is left unsaid is looked at by commit.
   */
  endStatement(): void;
  notify(channel: string, payload: string): void;
  /** A statement is all or nothing: undoes what was done since the mark, locks included. */
  mark(): Mark;
  undo(to: Mark): void;
  commit(): void;
  rollback(): void;
}

export type Mark = number;

export interface Catalog {
  table(name: string): Table;
  function(name: string): StoredFunction | undefined;
}

export interface Table {
  readonly name: string;
  readonly columns: readonly Column[];
  /** Position of a column; throws SqlError 42703. */
  position(column: string): number;
  readonly uniques: readonly UniqueIndex[];
  readonly triggers: readonly Trigger[];
  /** Lists of columns, in the order in which they are to be given, by which `find` is quick; the narrowest first. */
  readonly lookups: readonly (readonly string[])[];
}

export interface Column {
  readonly name: string;
  /** As PostgreSQL says it: uuid, text, integer, bigint, text[], timestamp with time zone, jsonb, … */
  readonly type: string;
  readonly isNotNull: boolean;
  /** The syntax tree of its default; undefined where it has none. Of an identity column: a call of nextval. */
  readonly default: unknown;
}

export interface UniqueIndex {
  readonly name: string;
  readonly columns: readonly string[];
  /** The syntax tree of its `where`. */
  readonly where: unknown;
  readonly nullsAreDistinct: boolean;
}

export interface Trigger {
  readonly name: string;
  readonly timing: 'before' | 'after';
  readonly events: readonly ('insert' | 'update' | 'delete')[];
  /** Of `update of`: it fires only where the statement sets one of these; empty for any. */
  readonly columns: readonly string[];
  /** The syntax tree of its `when`. */
  readonly when: unknown;
  readonly function: string;
}

/** Of the schema: its text is compiled when it is first called. */
export interface StoredFunction {
  readonly name: string;
  readonly language: 'sql' | 'plpgsql';
  /** The whole `create function`. */
  readonly text: string;
}

/** The storage asks the evaluator for what the schema says in expressions. */
export interface Judge {
  /** Whether these values, in the table's order of columns, fulfil a CHECK or the `where` of an index; null is told apart from false. */
  holds(table: Table, expression: unknown, values: readonly Value[]): boolean | null;
}
