import type { Node } from '@libpg-query/parser';
import type { Value } from '../../storage/types.ts';
import { orderOf } from '../../values/compare.ts';
import { type Expr, settled } from '../expr.ts';
import type { Run, Values } from '../run.ts';
import { must, unsupported } from '../tree.ts';

export interface Sort {
  keys(x: Run): Values;
  order(a: Values, b: Values): number;
}

/** ORDER BY: nulls go last where it rises and first where it falls, unless it is said otherwise. */
export function sortOf(clause: readonly Node[], compile: (node: Node) => Expr): Sort {
  const each = clause.map(node => {
    const { node: by, sortby_dir: direction, sortby_nulls: nulls } = must(node, 'SortBy');
    if (by === undefined || direction === 'SORTBY_USING') throw unsupported('this ORDER BY');
    const { eval: evaluate, type } = settled(compile(by));
    const falls = direction === 'SORTBY_DESC';
    const nullsFirst = nulls === 'SORTBY_NULLS_FIRST' || (nulls !== 'SORTBY_NULLS_LAST' && falls);
    return { evaluate, order: oneOrder(orderOf(type), falls ? -1 : 1, nullsFirst ? -1 : 1) };
  });
  return {
    keys: x => each.map(({ evaluate }) => evaluate(x)),
    order: (a, b) => {
      for (let i = 0; i < each.length; i++) {
        const found = each[i]?.order(a[i], b[i]) ?? 0;
        if (found !== 0) return found;
      }
      return 0;
    },
  };
}

function oneOrder(order: (a: Value, b: Value) => number, sign: number, nullSign: number): (a: Value, b: Value) => number {
  return (a, b) => {
    if (a === null) return b === null ? 0 : nullSign;
    return b === null ? -nullSign : sign * order(a, b);
  };
}
