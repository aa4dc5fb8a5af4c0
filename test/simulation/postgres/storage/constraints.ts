import { SqlError } from '../types.ts';
import type { StoredTable, Unique } from './catalog/table.ts';
import { mayDiffer } from './keys.ts';
import type { Judge, Values } from './types.ts';

interface Change {
  readonly values: Values;
  /** What is replaced: what it had already is not judged again. */
  readonly before?: Values;
}

/** NOT NULL and CHECK. Throws SqlError 23502, 23514. */
export function checkRow(judge: Judge, table: StoredTable, { values, before }: Change): void {
  for (const position of table.notNull) {
    if (values[position] === null || values[position] === undefined) throw nullRefused(table, position);
  }
  for (const { name, expression, positions } of table.checks) {
    if (before !== undefined && !mayDiffer(before, values, positions)) continue;
    if (judge.holds(table, expression, values) === false) {
      throw new SqlError('23514', `new row for relation "${table.name}" violates check constraint "${name}"`, name);
    }
  }
}

/** Whether a row with these values stands in an index with this `where`. */
export function isIndexed(judge: Judge, { table, where }: { table: StoredTable; where: unknown }, values: Values): boolean {
  return where === undefined || judge.holds(table, where, values) === true;
}

export function duplicate(index: Unique): SqlError {
  return new SqlError('23505', `duplicate key value violates unique constraint "${index.name}"`, index.name);
}

function nullRefused(table: StoredTable, position: number): SqlError {
  const column = table.columns[position]?.name;
  return new SqlError('23502', `null value in column "${column}" of relation "${table.name}" violates not-null constraint`);
}
