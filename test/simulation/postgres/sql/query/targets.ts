import type { Node } from '@libpg-query/parser';
import { setFunctions } from '../../functions/index.ts';
import { SqlError } from '../../types.ts';
import type { Type } from '../../values/types.ts';
import { nameOfCall } from '../expressions/calls.ts';
import { coerced, type ColumnInfo, type Expr, settled } from '../expr.ts';
import type { Run, Values } from '../run.ts';
import type { Item, Scope } from '../scope.ts';
import { as, must, strings } from '../tree.ts';
import { figuredName } from './names.ts';

export interface Target extends ColumnInfo {
  readonly expr: Expr;
  /** Of a function that gives rows: the others are said again beside each of them. */
  readonly set: ((x: Run) => readonly Values[]) | undefined;
}

/** What is selected, or returned; `types` are for what has none of its own. */
export function compileTargets(nodes: readonly Node[], scope: Scope, types: readonly Type[] = []): Target[] {
  const targets: Target[] = [];
  for (const node of nodes) {
    const { name, val } = must(node, 'ResTarget');
    if (val === undefined) throw new Error('a target without a value');
    const star = starOf(val);
    if (star !== undefined) targets.push(...allOf(star, scope));
    else targets.push(targetOf({ name: name ?? figuredName(val), node: val, wish: types[targets.length] }, scope));
  }
  return targets;
}

/** `a.*` is ['a'], and `*` is []. */
function starOf(node: Node): readonly string[] | undefined {
  const fields = as(node, 'ColumnRef')?.fields ?? [];
  return as(fields.at(-1), 'A_Star') === undefined ? undefined : strings(fields.slice(0, -1));
}

function allOf([alias]: readonly string[], scope: Scope): Target[] {
  const items: (Item | undefined)[] =
    alias === undefined ? scope.items.filter(item => item.onlyByAlias !== true) : [scope.item(alias)];
  return items.flatMap(item => {
    if (item === undefined) throw new SqlError('42P01', `missing FROM-clause entry for table "${alias}"`);
    return item.columns.map((column, i) => ({ ...column, expr: scope.at(item, i), set: undefined }));
  });
}

interface Wanted {
  readonly name: string;
  readonly node: Node;
  readonly wish: Type | undefined;
}

function targetOf({ name, node, wish }: Wanted, scope: Scope): Target {
  const call = as(node, 'FuncCall');
  const set = call === undefined ? undefined : setFunctions[nameOfCall(call)];
  if (call !== undefined && set !== undefined) {
    const { columns, rows } = set(
      (call.args ?? []).map(arg => scope.compile(arg)),
      [],
    );
    const type = columns[0]?.type ?? 'text';
    return { name, type, expr: { type, eval: () => null }, set: rows };
  }
  const found = scope.compile(node);
  const expr = found.type === 'unknown' && wish !== undefined ? coerced(found, wish) : settled(found);
  return { name, type: expr.type, expr, set: undefined };
}

/** The row that comes of the targets. */
export function projection(targets: readonly Target[]): (x: Run) => Values {
  const evals = targets.map(target => target.expr.eval);
  return x => {
    const row: unknown[] = [];
    for (const evaluate of evals) row.push(evaluate(x));
    return row;
  };
}

/** The same where one of the targets gives several rows. */
export function projections(targets: readonly Target[]): (x: Run) => readonly Values[] {
  const project = projection(targets);
  const at = targets.findIndex(target => target.set !== undefined);
  const set = targets[at]?.set;
  if (set === undefined) return x => [project(x)];
  if (targets.filter(target => target.set !== undefined).length > 1)
    throw new Error('one function that gives rows is known here');
  return x => {
    const row = project(x);
    return set(x).map(([value]) => row.with(at, value));
  };
}
