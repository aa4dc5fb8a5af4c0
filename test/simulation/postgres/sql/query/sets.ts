import type { SelectStmt } from '@libpg-query/parser';
import type { Value } from '../../storage/types.ts';
import { castBetween } from '../../values/cast.ts';
import { keyOf } from '../../values/compare.ts';
import { commonType, type Type } from '../../values/types.ts';
import { coerced } from '../expr.ts';
import type { Run, Values } from '../run.ts';
import { type Query, type QueryOptions, Scope } from '../scope.ts';
import { type Body, must, unsupported } from '../tree.ts';
import { countOf, sortKey } from './select.ts';
import { sortOf } from './sort.ts';

type Select = Body<'SelectStmt'>;

/** UNION, UNION ALL, INTERSECT and EXCEPT. */
export function compileSetOperation(stmt: Select, outer: Scope, options: QueryOptions = {}): Query {
  const { larg, rarg, op, all = false } = stmt;
  if (larg === undefined || rarg === undefined) throw unsupported('a set operation with one side');
  const first = outer.query(larg, options);
  const right = outer.query(rarg, { types: options.types ?? typesOf(first) });
  // What has no type of its own takes that of the other side: a null that goes first, that of the second.
  const left =
    typesOf(first).join() === typesOf(right).join() ? first : outer.query(larg, { types: options.types ?? typesOf(right) });
  const types = left.columns.map((column, i) => commonType([column.type, right.columns[i]?.type ?? 'unknown']));
  const combine = combinations[`${op} ${all ? 'all' : ''}`.trim()];
  if (combine === undefined) throw unsupported(`${op}`);
  const [one, other] = [turned(left, types), turned(right, types)];
  const columns = left.columns.map(({ name }, i) => ({ name, type: types[i] ?? 'text' }));
  return ordered(stmt, outer, { columns, rows: x => combine(one(x), () => other(x)) });
}

const typesOf = (query: Query): Type[] => query.columns.map(column => column.type);

type Combine = (left: readonly Values[], right: () => readonly Values[]) => readonly Values[];

const union: Combine = (left, right) => distinct([...left, ...right()]);

const combinations: Readonly<Record<string, Combine>> = {
  'SETOP_UNION all': (left, right) => [...left, ...right()],
  SETOP_UNION: union,
  SETOP_INTERSECT: (left, right) => {
    const keys = new Set(right().map(keyOf));
    return distinct(left.filter(row => keys.has(keyOf(row))));
  },
  SETOP_EXCEPT: (left, right) => {
    const keys = new Set(right().map(keyOf));
    return distinct(left.filter(row => !keys.has(keyOf(row))));
  },
};

function distinct(rows: readonly Values[]): Values[] {
  const seen = new Set<string>();
  return rows.filter(row => {
    const key = keyOf(row);
    return !seen.has(key) && seen.add(key);
  });
}

function turned(query: Query, types: readonly Type[]): (x: Run) => readonly Values[] {
  const casts = types.map((type, i) => castBetween(query.columns[i]?.type ?? type, type));
  if (casts.every(cast => cast === undefined)) return x => query.rows(x);
  const turn = (value: Value, i: number) => (value === null ? null : (casts[i]?.(value) ?? value));
  return x => query.rows(x).map(row => row.map(turn));
}

/** Its ORDER BY knows the columns of the result, and no others. */
function ordered({ sortClause, limitCount, limitOffset }: Select, outer: Scope, query: Omit<Query, 'exists'>): Query {
  const { columns } = query;
  const scope = new Scope(outer.compilation, outer);
  const item = scope.add('', columns);
  const targets = columns.map((column, i) => ({ ...column, expr: scope.at(item, i), set: undefined }));
  const sort = sortClause && sortOf(sortClause, node => sortKey(node, targets, scope));
  const limit = limitCount && countOf(limitCount, outer);
  const offset = limitOffset && countOf(limitOffset, outer);
  const rows = (x: Run) => {
    const all = query.rows(x);
    const inOrder =
      sort === undefined
        ? all
        : all
            .map(row => ({ row, keys: keysOf(x, row) }))
            .sort((a, b) => sort.order(a.keys, b.keys))
            .map(each => each.row);
    const from = (offset?.(x) as number | null | undefined) ?? 0;
    const count = (limit?.(x) as number | null | undefined) ?? Infinity;
    return from === 0 && count === Infinity ? inOrder : inOrder.slice(from, from + count);
  };
  const keysOf = (x: Run, row: Values) => {
    x.rows[item.slot] = row;
    return sort?.keys(x) ?? [];
  };
  return { columns, rows, exists: x => rows(x).length > 0 };
}

/** VALUES. */
export function compileValues(stmt: SelectStmt, outer: Scope, options: QueryOptions = {}): Query {
  const lists = (stmt.valuesLists ?? []).map(list => (must(list, 'List').items ?? []).map(item => outer.compile(item)));
  const types = (lists[0] ?? []).map((_, i) => {
    const all = lists.map(list => list[i]?.type ?? 'unknown');
    const wish = options.types?.[i];
    return wish !== undefined && all.every(type => type === 'unknown') ? wish : commonType(all);
  });
  const evals = lists.map(list => list.map((expr, i) => coerced(expr, types[i] ?? 'text').eval));
  const columns = types.map((type, i) => ({ name: `column${i + 1}`, type }));
  return ordered(stmt, outer, { columns, rows: x => evals.map(list => list.map(evaluate => evaluate(x))) });
}
