import type { Transaction } from '../types.ts';
import type { Unique } from './catalog/table.ts';
import { duplicate, isIndexed } from './constraints.ts';
import type { Heap, Row } from './heap.ts';
import { differ, hasNull, keyOf, mayDiffer } from './keys.ts';
import type { Judge, Values } from './types.ts';

export interface Wish {
  readonly judge: Judge;
  readonly heap: Heap;
  readonly transaction: Transaction;
  /** Throws Blocked. */
  readonly wait: (by: Transaction) => never;
  readonly values: Values;
  /** The row that is to have them, where there is one. */
  readonly self?: Row;
}

/** Throws SqlError 23505 where another row has these values; Blocked where that hangs on a transaction that is not over. */
export function checkUniques(wish: Wish, before?: Values): void {
  for (const index of wish.heap.uniques) {
    if (
      before !== undefined &&
      !mayDiffer(before, wish.values, index.positions) &&
      !mayDiffer(before, wish.values, index.wherePositions)
    )
      continue;
    if (rowInTheWay(wish, index) !== undefined) throw duplicate(index);
  }
}

export function rowInTheWay(wish: Wish, index: Unique): Row | undefined {
  const { judge, heap, transaction, values, wait } = wish;
  if (index.nullsAreDistinct && hasNull(values, index.positions)) return undefined;
  const indexed = { table: heap.table, where: index.where };
  if (!isIndexed(judge, indexed, values)) return undefined;
  const key = keyOf(values, index.positions);
  const stands = (version: Values | undefined) =>
    version !== undefined && keyOf(version, index.positions) === key && isIndexed(judge, indexed, version);
  for (const row of candidates(heap, index, values)) {
    if (row === wish.self) continue;
    // As PostgreSQL it waits for whoever is changing the row, whatever it changes: only the end tells what will stand.
    if (row.writer !== undefined && row.writer !== transaction) {
      if (stands(row.committed) || stands(row.pending)) wait(row.writer);
    } else if (stands(row.seenBy(transaction))) {
      return row;
    }
  }
  return undefined;
}

function candidates(heap: Heap, index: Unique, values: Values): readonly Row[] {
  return heap.find(
    index.columns,
    index.positions.map(position => values[position]),
  );
}

/** Whether the change takes away what a foreign key may hold on to. */
export function changesKey(heap: Heap, before: Values, after: Values): boolean {
  return differ(before, after, heap.table.keyPositions);
}
