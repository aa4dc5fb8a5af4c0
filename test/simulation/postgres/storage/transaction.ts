import { Blocked, type Transaction } from '../types.ts';
import { checkRow } from './constraints.ts';
import { type Doubt, settle } from './foreign.ts';
import type { Heap, Row } from './heap.ts';
import { differ } from './keys.ts';
import { type Strength, strengthOf } from './locks.ts';
import type { LockMode, Mark, StorageTransaction, Tuple, UniqueIndex, Values } from './types.ts';
import type { Shared } from './shared.ts';
import { changesKey, checkUniques, rowInTheWay, type Wish } from './unique.ts';

export class StoredTransaction implements StorageTransaction {
  readonly id: number;
  isOver = false;
  readonly #shared: Shared;
  readonly #looker: Pick<Wish, 'judge' | 'transaction' | 'wait'>;
  /** How to take back all that was done, the last first. */
  readonly #undo: (() => void)[] = [];
  readonly #doubts: Doubt[] = [];
  readonly #written: Row[] = [];
  /** Versions that are found until the end. */
  readonly #replaced: (readonly [Row, Values])[] = [];
  readonly #held: Row[] = [];
  readonly #keys: string[] = [];
  readonly #tables: Heap[] = [];
  readonly #said: (readonly [string, string])[] = [];
  readonly #whenOver: (() => void)[] = [];
  /** Numbers drawn since the last mark, with what the sequence said before. */
  #drawn: (readonly [string, number])[] = [];

  constructor(shared: Shared, id: number) {
    this.#shared = shared;
    this.#looker = { judge: shared.judge, transaction: this, wait: by => this.#wait(by) };
    this.id = id;
  }

  whenOver(callback: () => void): void {
    if (this.isOver) callback();
    else this.#whenOver.push(callback);
  }

  scan(table: string): readonly Tuple[] {
    return this.#shared.heap(table).scan();
  }

  find(table: string, columns: readonly string[], values: Values): readonly Tuple[] {
    return this.#shared.heap(table).find(columns, values);
  }

  read(tuple: Tuple): Values | undefined {
    return (tuple as Row).seenBy(this);
  }

  lock(tuple: Tuple, mode: LockMode, how?: { readonly skipLocked?: boolean }): 'locked' | 'skipped' {
    const obstacle = this.#tryLock(tuple as Row, strengthOf(mode));
    if (obstacle === undefined) return 'locked';
    if (how?.skipLocked === true) return 'skipped';
    return this.#wait(obstacle);
  }

  advisoryLock(key: bigint | number | string): void {
    const name = String(key);
    const holder = this.#shared.advisory.get(name);
    if (holder === this) return;
    if (holder !== undefined) this.#wait(holder);
    this.#shared.advisory.set(name, this);
    this.#note(this.#keys, name, () => this.#shared.advisory.delete(name));
  }

  lockTable(table: string): void {
    const heap = this.#shared.heap(table);
    if (heap.locker === this) return;
    if (heap.locker !== undefined) this.#wait(heap.locker);
    for (const writer of heap.writers) if (writer !== this) this.#wait(writer);
    heap.locker = this;
    this.#note(this.#tables, heap, () => (heap.locker = undefined));
  }

  willWrite(table: string): void {
    this.#writable(table);
  }

  insert(table: string, values: Values): Tuple {
    const heap = this.#writable(table);
    const { judge } = this.#shared;
    checkRow(judge, heap.table, { values });
    checkUniques({ ...this.#looker, heap, values });
    const row = heap.add(values, this);
    this.#note(this.#written, row, () => {
      row.pending = undefined;
      heap.drop(row);
      heap.forget(row, values, undefined);
    });
    for (const key of heap.table.parents) this.#doubt({ kind: 'has parent', key, row });
    return row;
  }

  update(tuple: Tuple, values: Values): void {
    const row = tuple as Row;
    const { heap } = row;
    const { judge } = this.#shared;
    this.#writable(row.table);
    const before = this.#present(row);
    this.lock(row, changesKey(heap, before, values) ? 'update' : 'no key update');
    checkRow(judge, heap.table, { values, before });
    checkUniques({ ...this.#looker, heap, values, self: row }, before);
    this.#write(row, before, values);
    for (const key of heap.table.parents) {
      if (differ(before, values, key.childPositions)) this.#doubt({ kind: 'has parent', key, row });
    }
    this.#doubtChildren(row, before, values);
  }

  remove(tuple: Tuple): void {
    const row = tuple as Row;
    this.#writable(row.table);
    const before = this.#present(row);
    this.lock(row, 'update');
    this.#write(row, before, undefined);
    this.#doubtChildren(row, before, undefined);
  }

  conflicting(table: string, values: Values, index?: UniqueIndex): Tuple | undefined {
    const heap = this.#shared.heap(table);
    // PostgreSQL judges what is to be inserted before it looks for what stands in the way.
    checkRow(this.#shared.judge, heap.table, { values });
    const wish = { ...this.#looker, heap, values };
    for (const unique of heap.uniques) {
      if (index !== undefined && index.name !== unique.name) continue;
      const row = rowInTheWay(wish, unique);
      if (row !== undefined) return row;
    }
    return undefined;
  }

  nextval(sequence: string): number {
    const value = this.#shared.nextval(sequence);
    this.#drawn.push([sequence, value - 1]);
    return value;
  }

  notify(channel: string, payload: string): void {
    if (!this.#said.some(([c, p]) => c === channel && p === payload)) this.#note(this.#said, [channel, payload], () => {});
  }

  endStatement(): void {
    if (this.#doubts.length === 0) return;
    const looker = {
      rows: (table: string, columns: readonly string[], values: Values) => this.#shared.heap(table).find(columns, values),
      see: (row: Row) => row.seenBy(this),
      holdParent: (row: Row) => void this.lock(row, 'key share'),
      remove: (row: Row) => this.remove(row),
    };
    // A cascade raises new doubts.
    for (let i = 0; i < this.#doubts.length; i++) {
      const doubt = this.#doubts[i];
      if (doubt !== undefined) settle(doubt, looker);
    }
    this.#doubts.length = 0;
  }

  mark(): Mark {
    this.#drawn = [];
    return this.#undo.length;
  }

  undo(to: Mark): void {
    while (this.#undo.length > to) this.#undo.pop()?.();
  }

  commit(): void {
    this.endStatement();
    for (const [row, values] of this.#replaced) row.heap.forget(row, values, row.pending);
    for (const row of this.#written) {
      if (row.pending === undefined) row.heap.drop(row);
      row.committed = row.pending;
      row.pending = undefined;
      row.writer = undefined;
    }
    this.#end();
    if (this.#written.length > 0) this.#shared.wrote(this.#written);
    for (const [channel, payload] of this.#said) this.#shared.tell(channel, payload);
  }

  rollback(): void {
    this.undo(0);
    this.#end();
  }

  /** The statement will be asked again from its beginning: the numbers that it drew, as PostgreSQL, it draws but once. */
  #wait(by: Transaction): never {
    for (const [sequence, before] of this.#drawn.reverse()) this.#shared.setSequence(sequence, before);
    this.#drawn = [];
    throw new Blocked(by);
  }

  #end(): void {
    for (const row of this.#held) row.hold(this, undefined);
    for (const key of this.#keys) this.#shared.advisory.delete(key);
    for (const heap of this.#tables) {
      heap.writers.delete(this);
      if (heap.locker === this) heap.locker = undefined;
    }
    this.isOver = true;
    for (const callback of this.#whenOver) callback();
  }

  #tryLock(row: Row, strength: Strength): Transaction | undefined {
    // What it has inserted itself nobody else sees.
    if (row.writer === this && row.committed === undefined) return undefined;
    const held = row.strengthOf(this);
    if (held !== undefined && held >= strength) return undefined;
    const obstacle = row.obstacle(this, strength);
    if (obstacle !== undefined) return obstacle;
    row.hold(this, strength);
    this.#note(this.#held, row, () => row.hold(this, held));
    return undefined;
  }

  #writable(table: string): Heap {
    const heap = this.#shared.heap(table);
    if (heap.locker !== undefined && heap.locker !== this) this.#wait(heap.locker);
    if (!heap.writers.has(this)) {
      heap.writers.add(this);
      this.#note(this.#tables, heap, () => heap.writers.delete(this));
    }
    return heap;
  }

  #present(row: Row): Values {
    const values = row.seenBy(this);
    if (values !== undefined) return values;
    // Its inserter is not over, or it is gone: no statement can have found it.
    throw new Error(`The row ${row.id} of ${row.table} is not there to be written`);
  }

  #write(row: Row, before: Values, after: Values | undefined): void {
    const { pending, writer } = row;
    const leave = after === undefined ? undefined : row.heap.enter(row, before, after);
    row.pending = after;
    row.writer = this;
    this.#note(this.#replaced, [row, before], () => {
      row.pending = pending;
      row.writer = writer;
      leave?.();
    });
    if (writer === undefined) this.#note(this.#written, row, () => {});
  }

  #doubtChildren(row: Row, before: Values, after: Values | undefined): void {
    const { table } = row.heap;
    for (const key of table.children) {
      const positions = table.positions(key.parentColumns);
      if (after !== undefined && !differ(before, after, positions)) continue;
      this.#doubt({ kind: 'had children', key, parent: positions.map(position => before[position]) });
    }
  }

  #doubt(doubt: Doubt): void {
    this.#note(this.#doubts, doubt, () => {});
  }

  /** Adds it to a list of this transaction; both are taken back together. */
  #note<T>(to: T[], entry: T, takeBack: () => unknown): void {
    to.push(entry);
    this.#undo.push(() => {
      to.pop();
      takeBack();
    });
  }
}
