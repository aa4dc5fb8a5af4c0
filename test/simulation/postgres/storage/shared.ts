import { SqlError, type Transaction } from '../types.ts';
import type { StoredCatalog } from './catalog/index.ts';
import { Heap, type Row } from './heap.ts';
import type { Judge } from './types.ts';

/** What all transactions of one database share. */
export class Shared {
  readonly judge: Judge;
  readonly advisory = new Map<string, Transaction>();
  readonly #heaps: ReadonlyMap<string, Heap>;
  readonly #sequences: Map<string, number>;
  readonly #listeners: ((channel: string, payload: string) => void)[] = [];
  readonly #watchers: ((written: readonly Row[]) => void)[] = [];

  constructor(catalog: StoredCatalog, judge: Judge, unkept: readonly string[] = []) {
    this.judge = judge;
    this.#heaps = new Map(catalog.tables.map(table => [table.name, new Heap(table, unkept)]));
    this.#sequences = new Map(catalog.sequences.map(name => [name, 0]));
  }

  heap(table: string): Heap {
    const found = this.#heaps.get(table);
    if (found === undefined) throw new SqlError('42P01', `relation "${table}" does not exist`);
    return found;
  }

  /** Not taken back by a rollback, as in PostgreSQL. */
  nextval(sequence: string): number {
    const last = this.#sequences.get(sequence);
    if (last === undefined) throw new SqlError('42P01', `relation "${sequence}" does not exist`);
    this.#sequences.set(sequence, last + 1);
    return last + 1;
  }

  setSequence(sequence: string, last: number): void {
    this.#sequences.set(sequence, last);
  }

  listen(callback: (channel: string, payload: string) => void): void {
    this.#listeners.push(callback);
  }

  watch(callback: (written: readonly Row[]) => void): void {
    this.#watchers.push(callback);
  }

  wrote(written: readonly Row[]): void {
    for (const watcher of this.#watchers) watcher(written);
  }

  tell(channel: string, payload: string): void {
    for (const listener of this.#listeners) listener(channel, payload);
  }
}
