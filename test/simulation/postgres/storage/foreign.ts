import { SqlError } from '../types.ts';
import type { ForeignKey } from './catalog/table.ts';
import { hasNull, keyOf, keyOfList } from './keys.ts';
import type { Row } from './heap.ts';
import type { Values } from './types.ts';

/** What a foreign key has to be looked at for when the statement is through. */
export type Doubt =
  | { readonly kind: 'has parent'; readonly key: ForeignKey; readonly row: Row }
  | { readonly kind: 'had children'; readonly key: ForeignKey; readonly parent: Values };

/** What is needed of the transaction. */
export interface Looker {
  rows(table: string, columns: readonly string[], values: Values): readonly Row[];
  see(row: Row): Values | undefined;
  holdParent(row: Row): void;
  remove(row: Row): void;
}

/** Throws SqlError 23503, and Blocked where somebody is about to remove the parent. */
export function settle(doubt: Doubt, looker: Looker): void {
  if (doubt.kind === 'has parent') findParent(doubt.key, doubt.row, looker);
  else leaveChildren(doubt.key, doubt.parent, looker);
}

function findParent(key: ForeignKey, row: Row, looker: Looker): void {
  const values = looker.see(row);
  if (values === undefined || hasNull(values, key.childPositions)) return;
  const wanted = key.childPositions.map(position => values[position]);
  const parent = withValues(looker, { table: key.parentTable, columns: key.parentColumns }, wanted)[0];
  if (parent === undefined) {
    throw new SqlError(
      '23503',
      `insert or update on table "${key.child.name}" violates foreign key constraint "${key.name}"`,
      key.name,
    );
  }
  looker.holdParent(parent);
}

function leaveChildren(key: ForeignKey, parent: Values, looker: Looker): void {
  if (withValues(looker, { table: key.parentTable, columns: key.parentColumns }, parent).length > 0) return;
  for (const row of withValues(looker, { table: key.child.name, columns: key.childColumns }, parent)) {
    if (key.isCascade) looker.remove(row);
    else throw childrenLeft(key);
  }
}

function childrenLeft(key: ForeignKey): SqlError {
  const message = `update or delete on table "${key.parentTable}" violates foreign key constraint "${key.name}" on table "${key.child.name}"`;
  return new SqlError('23503', message, key.name);
}

interface Place {
  readonly table: string;
  readonly columns: readonly string[];
}

function withValues(looker: Looker, { table, columns }: Place, wanted: Values): Row[] {
  const key = keyOfList(wanted);
  return looker.rows(table, columns, wanted).filter(row => {
    const values = looker.see(row);
    return values !== undefined && keyOf(values, row.heap.table.positions(columns)) === key;
  });
}
