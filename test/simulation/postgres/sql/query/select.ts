import type { Node } from '@libpg-query/parser';
import { SqlError } from '../../types.ts';
import { coerced, type Eval, type Expr, settled } from '../expr.ts';
import { type Query, type QueryOptions, Scope } from '../scope.ts';
import { as, type Body, strings, unsupported } from '../tree.ts';
import { finished } from './finish.ts';
import { compileConditions, compileFrom } from './from.ts';
import { grouped, groupSets, windowed } from './group.ts';
import { planJoin } from './join.ts';
import { lockOf } from './locking.ts';
import { sortOf } from './sort.ts';
import { compileTargets, projection, projections, type Target } from './targets.ts';

type Select = Body<'SelectStmt'>;

/** SELECT without UNION and VALUES. `outer` is what is around it, its WITH included. */
export function compileSelect(stmt: Select, outer: Scope, options: QueryOptions = {}): Query {
  const { compilation } = outer;
  const scope = new Scope(compilation, outer);
  const { sources, conditions } = compileFrom(stmt.fromClause ?? [], scope);
  const join = planJoin({ sources, conditions: [...conditions, ...compileConditions(stmt.whereClause, scope)] });
  const sets = groupSets(stmt.groupClause, node => groupKey(node, stmt, scope));
  scope.groupings = stmt.groupClause && { slot: compilation.slot() };
  scope.aggregates = { slot: compilation.slot(), specs: [] };
  scope.windows = { slot: compilation.slot(), specs: [] };
  const targets = compileTargets(stmt.targetList ?? [], scope, options.types);
  const having = stmt.havingClause && coerced(scope.compile(stmt.havingClause), 'bool').eval;
  const sort = stmt.sortClause && sortOf(stmt.sortClause, node => sortKey(node, targets, scope));
  const isGrouped = sets !== undefined || having !== undefined || scope.aggregates.specs.length > 0;
  const inGroups = isGrouped ? grouped(join, { sets, having }, scope) : join;
  const walk = scope.windows.specs.length > 0 ? windowed(inGroups, scope) : inGroups;
  const limit = stmt.limitCount && countOf(stmt.limitCount, outer);
  const offset = stmt.limitOffset && countOf(stmt.limitOffset, outer);
  const hasSets = targets.some(target => target.set !== undefined);
  const lock = lockOf(stmt.lockingClause ?? [], sources);
  const rows = finished({
    walk,
    project: projection(targets),
    projectAll: hasSets ? projections(targets) : undefined,
    sort,
    distinct: distinctOf(stmt, targets, scope),
    limit,
    offset,
    lock,
    slots: scope.items.map(item => item.slot),
  });
  const isPlain = limit === undefined && offset === undefined && lock === undefined && !hasSets;
  return {
    columns: targets.map(({ name, type }) => ({ name, type })),
    rows,
    exists: isPlain ? x => walk(x, () => true) : x => rows(x).length > 0,
  };
}

export function countOf(node: Node, scope: Scope): Eval {
  const { eval: evaluate } = coerced(scope.compile(node), 'int8');
  return x => {
    const count = evaluate(x) as number | null;
    if (count !== null && count < 0) throw new SqlError('2201W', 'LIMIT and OFFSET must not be negative');
    return count;
  };
}

/** A name is that of a column, or else of a target. */
function groupKey(node: Node, { targetList = [] }: Select, scope: Scope): Expr {
  if (as(node, 'A_Const') !== undefined) throw unsupported('GROUP BY a number');
  const [name, more] = nameOf(node);
  if (name !== undefined && more === undefined && !scope.items.some(item => item.columns.some(column => column.name === name))) {
    const target = targetList.map(each => as(each, 'ResTarget')).find(each => each?.name === name);
    if (target?.val !== undefined) return scope.compile(target.val);
  }
  return scope.compile(node);
}

/** A name is that of a target, or else of a column; a number is the place of a target. */
export function sortKey(node: Node, targets: readonly Target[], scope: Scope): Expr {
  const place = as(node, 'A_Const')?.ival?.ival;
  const [name, more] = nameOf(node);
  const target = place === undefined ? targets.find(each => more === undefined && each.name === name) : targets[place - 1];
  if (target?.set !== undefined) throw unsupported('ORDER BY what gives several rows');
  if (target !== undefined) return target.expr;
  if (place !== undefined) throw new SqlError('42P10', `ORDER BY position ${place} is not in select list`);
  return scope.compile(node);
}

function nameOf(node: Node): string[] {
  const fields = as(node, 'ColumnRef')?.fields ?? [];
  return fields.every(field => as(field, 'String') !== undefined) ? strings(fields) : [];
}

function distinctOf({ distinctClause }: Select, targets: readonly Target[], scope: Scope): 'all' | readonly Eval[] | undefined {
  const [first] = distinctClause ?? [];
  if (first === undefined) return undefined;
  if (Object.keys(first).length === 0) return 'all';
  return (distinctClause ?? []).map(node => settled(sortKey(node, targets, scope)).eval);
}
