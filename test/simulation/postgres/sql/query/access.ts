import type { Table, Tuple } from '../../storage/types.ts';
import type { Eval } from '../expr.ts';
import type { Run } from '../run.ts';
import type { Condition, Source } from './source.ts';

/** How a source is gone through, and what that is guessed to cost. */
export interface Access {
  readonly source: Source;
  readonly tuples: (x: Run) => readonly Tuple[];
  readonly cost: number;
}

const costs = { oneRow: 0, lookup: 1, rows: 3, scan: 5 };
const noTuples: readonly Tuple[] = [];

/** By the longest list of columns that `find` knows and of which the conditions give each value. */
export function accessTo(
  source: Source,
  conditions: readonly Condition[],
  isBound: (uses: ReadonlySet<number>) => boolean,
): Access {
  const { table } = source;
  if (table === undefined) return { source, tuples: () => noTuples, cost: costs.rows };
  const known = equalities(source, conditions, isBound);
  const lookup = table.lookups
    .filter(columns => columns.every(column => known.has(table.position(column))))
    .toSorted((a, b) => costOf(table, a) - costOf(table, b) || b.length - a.length)[0];
  const { name } = table;
  if (lookup === undefined) return { source, tuples: x => x.world.tx.scan(name), cost: costs.scan };
  const evals = lookup.flatMap(column => known.get(table.position(column)) ?? []);
  return {
    source,
    tuples: x => {
      const values = evals.map(evaluate => evaluate(x));
      return values.includes(null) ? noTuples : x.world.tx.find(name, lookup, values);
    },
    cost: costOf(table, lookup),
  };
}

function costOf(table: Table, columns: readonly string[]): number {
  const isUnique = table.uniques.some(
    unique =>
      unique.where === undefined &&
      unique.columns.length === columns.length &&
      unique.columns.every(column => columns.includes(column)),
  );
  return isUnique ? costs.oneRow : costs.lookup;
}

/** The values that columns of the source must have, by position. */
function equalities(
  source: Source,
  conditions: readonly Condition[],
  isBound: (uses: ReadonlySet<number>) => boolean,
): Map<number, Eval> {
  const found = new Map<number, Eval>();
  for (const { expr } of conditions) {
    const { equality } = expr;
    if (equality === undefined) continue;
    const { left, right } = equality;
    for (const [one, other] of [
      [left, right],
      [right, left],
    ] as const) {
      const { column } = one.expr;
      if (column?.slot !== source.slot || other.uses.has(source.slot) || !isBound(other.uses)) continue;
      found.set(column.position, other.expr.eval);
    }
  }
  return found;
}
