import type { Node } from '@libpg-query/parser';
import { keyOf } from '../../values/compare.ts';
import type { Accumulator } from '../aggregate.ts';
import { type Eval, type Expr, settled } from '../expr.ts';
import type { Run, Values } from '../run.ts';
import type { Scope } from '../scope.ts';
import { as, unsupported } from '../tree.ts';
import type { Walk } from './join.ts';

/** By what rows are put together. */
interface GroupSet {
  readonly keys: readonly Eval[];
  /** Of GROUPING SETS: columns by which others are grouped and these are not; they are null. */
  readonly leftOut: readonly { readonly slot: number; readonly position: number }[];
}

interface Grouping {
  /** Undefined without GROUP BY: then there is one group, of no rows too. */
  readonly sets: readonly GroupSet[] | undefined;
  readonly having: Eval | undefined;
}

interface Group {
  readonly set: GroupSet;
  readonly rows: readonly Values[];
  readonly sums: readonly Accumulator[];
}

const noKeys: GroupSet = { keys: [], leftOut: [] };

/** One row for each group: a row of it, whose grouped columns are those of all, and what its aggregates say. */
export function grouped(walk: Walk, { sets, having }: Grouping, scope: Scope): Walk {
  const { items, aggregates } = scope;
  if (aggregates === undefined) return walk;
  const { slot, specs } = aggregates;
  const finish = (x: Run, { set, rows, sums }: Group): boolean => {
    for (let i = 0; i < items.length; i++) x.rows[items[i]?.slot ?? 0] = rows[i] ?? [];
    for (const { slot: of, position } of set.leftOut) x.rows[of] = (x.rows[of] as Values).with(position, null);
    x.rows[slot] = sums.map(sum => sum.result());
    if (scope.groupings !== undefined) x.rows[scope.groupings.slot] = [set];
    return having === undefined || having(x) === true;
  };
  return (x, emit) => {
    const groups = new Map<string, Group>();
    const begin = (key: string, set: GroupSet, rows: readonly Values[]): Group => {
      const group = { set, rows, sums: specs.map(spec => spec.begin()) };
      groups.set(key, group);
      return group;
    };
    walk(x, () => {
      for (const [i, set] of (sets ?? [noKeys]).entries()) {
        const key = sets === undefined ? '' : i + keyOf(set.keys.map(evaluate => evaluate(x)));
        const rows = () => items.map(item => x.rows[item.slot] as Values);
        const group = groups.get(key) ?? begin(key, set, rows());
        for (const sum of group.sums) sum.add(x);
      }
      return false;
    });
    const empty = () => items.map(item => item.columns.map(() => null));
    if (sets === undefined && groups.size === 0) begin('', noKeys, empty());
    for (const group of groups.values()) if (finish(x, group) && emit(x)) return true;
    return false;
  };
}

/** GROUP BY, of which `compile` knows what its names mean. */
export function groupSets(clause: readonly Node[] | undefined, compile: (node: Node) => Expr): readonly GroupSet[] | undefined {
  if (clause === undefined) return undefined;
  const [first] = clause;
  const several = as(first, 'GroupingSet');
  if (several === undefined) return [{ keys: clause.map(node => settled(compile(node)).eval), leftOut: [] }];
  if (several.kind !== 'GROUPING_SET_SETS' || clause.length > 1) throw unsupported(`${several.kind} in GROUP BY`);
  const sets = (several.content ?? []).map(node => (as(node, 'RowExpr')?.args ?? [node]).map(each => settled(compile(each))));
  const all = sets.flat().map(({ column }) => {
    if (column === undefined) throw unsupported('grouping sets of more than columns');
    return column;
  });
  return sets.map(set => ({
    keys: set.map(expr => expr.eval),
    leftOut: all.filter(({ slot, position }) => !set.some(({ column }) => column?.slot === slot && column.position === position)),
  }));
}

/** Looks at all rows before it says the first. */
export function windowed(walk: Walk, { items, windows }: Scope): Walk {
  if (windows === undefined) return walk;
  const { slot, specs } = windows;
  return (x, emit) => {
    const seen: { restore(): Run }[] = [];
    walk(x, () => {
      const rows = items.map(item => x.rows[item.slot] as Values);
      const restore = () => {
        for (let i = 0; i < items.length; i++) x.rows[items[i]?.slot ?? 0] = rows[i] ?? [];
        return x;
      };
      seen.push({ restore });
      return false;
    });
    const numbers = specs.map(spec => spec.number(seen));
    for (const [i, row] of seen.entries()) {
      row.restore();
      x.rows[slot] = numbers.map(column => column[i]);
      if (emit(x)) return true;
    }
    return false;
  };
}
