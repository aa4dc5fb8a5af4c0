import { SqlError } from '../../types.ts';
import type { Column, Table, Trigger, UniqueIndex } from '../types.ts';
import { columnsIn } from './tree.ts';

export interface Check {
  readonly name: string;
  readonly expression: unknown;
  /** Positions of the columns that it speaks of. */
  readonly positions: readonly number[];
}

export interface Unique extends UniqueIndex {
  readonly positions: readonly number[];
  /** Positions of the columns of its `where`. */
  readonly wherePositions: readonly number[];
}

export interface ForeignKey {
  readonly name: string;
  readonly child: StoredTable;
  readonly childColumns: readonly string[];
  readonly childPositions: readonly number[];
  readonly parentTable: string;
  readonly parentColumns: readonly string[];
  readonly isCascade: boolean;
}

/** A table with what the storage itself looks at. */
export class StoredTable implements Table {
  readonly name: string;
  readonly columns: readonly Column[];
  readonly uniques: Unique[] = [];
  readonly checks: Check[] = [];
  readonly triggers: Trigger[] = [];
  readonly lookups: (readonly string[])[] = [];
  /** Of this table's rows. */
  readonly parents: ForeignKey[] = [];
  /** That others have to this table's rows. */
  readonly children: ForeignKey[] = [];
  readonly notNull: readonly number[];
  /** Positions in a unique index that a foreign key may refer to: a change of one takes the strongest lock. */
  keyPositions: readonly number[] = [];
  readonly #positions: ReadonlyMap<string, number>;

  constructor(name: string, columns: readonly Column[]) {
    this.name = name;
    this.columns = columns;
    this.#positions = new Map(columns.map((column, i) => [column.name, i]));
    this.notNull = columns.flatMap((column, i) => (column.isNotNull ? [i] : []));
  }

  position(column: string): number {
    const found = this.#positions.get(column);
    if (found === undefined) throw new SqlError('42703', `column "${column}" of relation "${this.name}" does not exist`);
    return found;
  }

  positions(columns: readonly string[]): number[] {
    return columns.map(column => this.position(column));
  }

  /** Those that an expression of the schema speaks of. */
  positionsIn(expression: unknown): number[] {
    return this.positions([...columnsIn(expression)]);
  }

  addUnique(index: UniqueIndex): void {
    const positions = this.positions(index.columns);
    this.uniques.push({ ...index, positions, wherePositions: this.positionsIn(index.where) });
    this.addLookup(index.columns);
    if (index.where === undefined) this.keyPositions = [...new Set([...this.keyPositions, ...positions])];
  }

  addLookup(columns: readonly string[]): void {
    const key = columns.join();
    if (this.lookups.some(known => known.join() === key)) return;
    this.lookups.push(columns);
    this.lookups.sort((a, b) => b.length - a.length);
  }
}
