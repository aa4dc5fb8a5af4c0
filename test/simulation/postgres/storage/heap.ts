import type { Transaction } from '../types.ts';
import type { StoredTable, Unique } from './catalog/table.ts';
import { keyOf, keyOfList, mayDiffer } from './keys.ts';
import { conflicts, type Strength } from './locks.ts';
import type { Tuple, Values } from './types.ts';

const none: readonly Row[] = [];

/** From the values of some columns to the rows of which a version has them; rows that had them may be among them for a while. */
class HashIndex {
  readonly positions: readonly number[];
  readonly #buckets = new Map<string, readonly Row[]>();

  constructor(positions: readonly number[]) {
    this.positions = positions;
  }

  at(key: string): readonly Row[] {
    return this.#buckets.get(key) ?? none;
  }

  /** False where it was there already. Lists are never changed in place: somebody may be walking them. */
  add(key: string, row: Row): boolean {
    const rows = this.at(key);
    if (rows.includes(row)) return false;
    this.#buckets.set(key, rows.length === 0 ? [row] : [...rows, row]);
    return true;
  }

  drop(key: string, row: Row): void {
    const left = this.at(key).filter(other => other !== row);
    if (left.length === 0) this.#buckets.delete(key);
    else this.#buckets.set(key, left);
  }
}

/** The rows of one table. */
export class Heap {
  readonly table: StoredTable;
  /** Of the table, those that are kept. */
  readonly uniques: readonly Unique[];
  /** Who has written to it and is not over. */
  readonly writers = new Set<Transaction>();
  /** Who has locked it whole. */
  locker: Transaction | undefined;
  readonly #indexes: readonly HashIndex[];
  readonly #byColumns = new Map<string, HashIndex>();
  /** The same for lists of columns that were asked for before, so that no text is made of them again. */
  readonly #byList = new Map<readonly string[], HashIndex | undefined>();
  #rows: Row[] = [];
  #isShared = false;
  #lastId = 0;

  constructor(table: StoredTable, unkept: readonly string[] = []) {
    this.table = table;
    this.uniques = table.uniques.filter(({ name }) => !unkept.includes(name));
    for (const columns of table.lookups) this.#byColumns.set(columns.join(), new HashIndex(table.positions(columns)));
    this.#indexes = [...this.#byColumns.values()];
  }

  scan(): readonly Row[] {
    this.#isShared = true;
    return this.#rows;
  }

  find(columns: readonly string[], values: Values): readonly Row[] {
    const index = this.#indexOf(columns);
    return index === undefined ? this.scan() : index.at(keyOfList(values));
  }

  add(values: Values, writer: Transaction): Row {
    const row = this.#append(values);
    row.pending = values;
    row.writer = writer;
    return row;
  }

  /** A row that was there before every transaction. */
  place(values: Values): void {
    this.#append(values).committed = values;
  }

  #append(values: Values): Row {
    const row = new Row(this, ++this.#lastId);
    this.#own().push(row);
    for (const index of this.#indexes) index.add(keyOf(values, index.positions), row);
    return row;
  }

  drop(row: Row): void {
    const rows = this.#own();
    const at = rows.lastIndexOf(row);
    if (at >= 0) rows.splice(at, 1);
  }

  /** Finds the row by its new values too; the returned function takes that back. */
  enter(row: Row, before: Values, after: Values): (() => void) | undefined {
    let added: [HashIndex, string][] | undefined;
    for (const index of this.#indexes) {
      if (!mayDiffer(before, after, index.positions)) continue;
      const key = keyOf(after, index.positions);
      if (index.add(key, row)) (added ??= []).push([index, key]);
    }
    if (added === undefined) return undefined;
    const entries = added;
    return () => {
      for (const [index, key] of entries) index.drop(key, row);
    };
  }

  /** Finds it no longer by a version that is over, unless the one that stays, if any, has the same values there. */
  forget(row: Row, over: Values, stays: Values | undefined): void {
    for (const index of this.#indexes) {
      if (stays !== undefined && !mayDiffer(over, stays, index.positions)) continue;
      const key = keyOf(over, index.positions);
      if (stays === undefined || key !== keyOf(stays, index.positions)) index.drop(key, row);
    }
  }

  #indexOf(columns: readonly string[]): HashIndex | undefined {
    if (this.#byList.has(columns)) return this.#byList.get(columns);
    const index = this.#byColumns.get(columns.join());
    this.#byList.set(columns, index);
    return index;
  }

  #own(): Row[] {
    if (this.#isShared) this.#rows = this.#rows.slice();
    this.#isShared = false;
    return this.#rows;
  }
}

interface Holder {
  readonly by: Transaction;
  readonly strength: Strength;
}

/** A row with what is committed of it and at most one version that is not: that of `writer`, who holds its lock. */
export class Row implements Tuple {
  readonly table: string;
  readonly id: number;
  readonly heap: Heap;
  committed: Values | undefined;
  /** Undefined with a writer: deleted by it. */
  pending: Values | undefined;
  writer: Transaction | undefined;
  #holders: readonly Holder[] = [];

  constructor(heap: Heap, id: number) {
    this.heap = heap;
    this.table = heap.table.name;
    this.id = id;
  }

  seenBy(transaction: Transaction): Values | undefined {
    return this.writer === transaction ? this.pending : this.committed;
  }

  /** Who stands in the way. */
  obstacle(transaction: Transaction, strength: Strength): Transaction | undefined {
    for (const holder of this.#holders) {
      if (holder.by !== transaction && conflicts(holder.strength, strength)) return holder.by;
    }
    return undefined;
  }

  /** Undefined where it holds none. */
  strengthOf(transaction: Transaction): Strength | undefined {
    for (const holder of this.#holders) if (holder.by === transaction) return holder.strength;
    return undefined;
  }

  hold(by: Transaction, strength: Strength | undefined): void {
    const others = this.#holders.filter(holder => holder.by !== by);
    this.#holders = strength === undefined ? others : [...others, { by, strength }];
  }
}
