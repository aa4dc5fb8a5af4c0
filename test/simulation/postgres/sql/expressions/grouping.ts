import type { Expr } from '../expr.ts';
import type { Values } from '../run.ts';
import type { Scope } from '../scope.ts';
import { type Body, unsupported } from '../tree.ts';

interface Grouped {
  readonly leftOut: readonly { readonly slot: number; readonly position: number }[];
}

/** GROUPING of one column: 1 where the row is not grouped by it. */
export function groupingOf({ args = [] }: Body<'GroupingFunc'>, scope: Scope): Expr {
  const [arg, more] = args;
  const column = arg && scope.compile(arg).column;
  const { groupings } = scope;
  if (column === undefined || more !== undefined || groupings === undefined) throw unsupported('this GROUPING');
  return {
    type: 'int4',
    eval: x => {
      const [set] = x.rows[groupings.slot] as Values as readonly [Grouped];
      return set.leftOut.some(({ slot, position }) => slot === column.slot && position === column.position) ? 1 : 0;
    },
  };
}
