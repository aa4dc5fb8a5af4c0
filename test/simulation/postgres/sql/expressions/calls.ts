import type { Node } from '@libpg-query/parser';
import { aggregates, scalars, takingNulls } from '../../functions/index.ts';
import { apply } from '../../functions/scalar.ts';
import { SqlError } from '../../types.ts';
import { same, keyOf } from '../../values/compare.ts';
import { coerced, constant, type Eval, type Expr, settled } from '../expr.ts';
import type { Values } from '../run.ts';
import type { Scope, StoredCall } from '../scope.ts';
import { sortOf } from '../query/sort.ts';
import { as, type Body, strings, unsupported } from '../tree.ts';

type Call = Body<'FuncCall'>;

export function nameOfCall({ funcname }: Call): string {
  const names = strings(funcname);
  const [schema = ''] = names;
  return names.length > 1 && schema !== 'pg_catalog' && schema !== 'skep' ? names.join('.') : (names.at(-1) ?? '');
}

export function call(body: Call, scope: Scope): Expr {
  const name = nameOfCall(body);
  if (body.over !== undefined) return windowed(name, body, scope);
  if (aggregates[name] !== undefined) return aggregate(name, body, scope);
  const scalar = scalars.get(name);
  if (scalar !== undefined) {
    if (scalar.isVolatile === true) scope.compilation.volatile++;
    return apply(scalar, argumentsOf(name, body, { scope, names: scalar.names }));
  }
  const stored = scope.compilation.compiler.function(name);
  if (stored === undefined) throw unsupported(`the function ${name}`);
  return storedCall(stored, name, { body, scope });
}

interface Given {
  readonly scope: Scope;
  readonly names: readonly string[] | undefined;
}

/** In the order of the parameters; null for what is left out before a named one. */
function argumentsOf(name: string, { args = [] }: Call, { scope, names }: Given): Expr[] {
  const out: Expr[] = [];
  for (const arg of args) {
    const named = as(arg, 'NamedArgExpr');
    if (named === undefined) {
      out.push(scope.compile(arg));
      continue;
    }
    const at = names?.indexOf(named.name ?? '') ?? -1;
    if (at < 0 || named.arg === undefined) throw unsupported(`the argument ${named.name} of ${name}`);
    while (out.length < at) out.push(leftOut(name));
    out[at] = scope.compile(named.arg);
  }
  return out;
}

/** make_interval counts what is left out as nothing; elsewhere it is null. */
const leftOut = (name: string): Expr => (name === 'make_interval' ? constant('int4', 0) : constant('unknown', null));

/** The arguments of a function of the schema, each of its type; defaults where it is left out. */
export function storedArguments(stored: StoredCall, name: string, { body, scope }: { body: Call; scope: Scope }): Eval[] {
  const names = stored.parameters.map(parameter => parameter.name);
  const given = argumentsOf(name, body, { scope, names });
  if (given.length > stored.parameters.length) throw new SqlError('42883', `function ${name} takes fewer arguments`);
  return stored.parameters.map(({ type, default: otherwise }, i) => {
    const arg = given[i] ?? (otherwise && scope.compile(otherwise));
    if (arg === undefined) throw new SqlError('42883', `function ${name} needs more arguments`);
    return coerced(arg, type).eval;
  });
}

function storedCall(stored: StoredCall, name: string, place: { body: Call; scope: Scope }): Expr {
  const { compilation } = place.scope;
  compilation.dear++;
  compilation.volatile++;
  const args = storedArguments(stored, name, place);
  if (stored.fields !== undefined || stored.returnsSet) throw unsupported(`rows of ${name} in an expression`);
  return {
    type: stored.type,
    eval: x =>
      stored.call(
        x,
        args.map(evaluate => evaluate(x)),
      )[0]?.[0] ?? null,
  };
}

/** Gathered by the query around it, and read from there. */
function aggregate(name: string, body: Call, scope: Scope): Expr {
  const { aggregates: gathered } = scope;
  if (gathered === undefined) throw new SqlError('42803', `aggregate functions are not allowed here: ${name}`);
  const within = body.agg_within_group === true;
  const orders = (body.agg_order ?? []).flatMap(each => as(each, 'SortBy')?.node ?? []);
  const args = (within ? orders : (body.args ?? [])).map(arg => settled(scope.compile(arg)));
  const made = aggregates[name]?.(args.map(arg => arg.type));
  if (made === undefined) throw unsupported(`the aggregate ${name}`);
  const evals = args.map(arg => arg.eval);
  const filter = body.agg_filter === undefined ? undefined : coerced(scope.compile(body.agg_filter), 'bool').eval;
  const takesNull = takingNulls.has(name) || body.agg_star === true;
  const sort = body.agg_order === undefined ? undefined : sortOf(body.agg_order, node => settled(scope.compile(node)));
  const isDistinct = body.agg_distinct === true;
  gathered.specs.push({
    begin: () => {
      const sum = made.begin();
      const rows: { readonly keys: Values; readonly values: Values }[] = [];
      return {
        add: x => {
          if (filter !== undefined && filter(x) !== true) return;
          const values = evals.map(evaluate => evaluate(x));
          if (!takesNull && values[0] === null) return;
          if (sort === undefined && !isDistinct) sum.add(values);
          else rows.push({ keys: sort?.keys(x) ?? [], values });
        },
        result: () => {
          if (sort !== undefined) rows.sort((a, b) => sort.order(a.keys, b.keys));
          const kept = isDistinct ? firsts(rows.map(row => row.values)) : rows.map(row => row.values);
          for (const values of kept) sum.add(values);
          return sum.result();
        },
      };
    },
  });
  const [slot, at] = [gathered.slot, gathered.specs.length - 1];
  return { type: made.type, eval: x => (x.rows[slot] as Values)[at] };
}

function firsts(rows: readonly Values[]): Values[] {
  const seen = new Set<string>();
  return rows.filter(row => {
    const key = keyOf(row);
    return !seen.has(key) && seen.add(key);
  });
}

/** row_number, over all rows of the query or of a partition of them. */
function windowed(name: string, { over }: Call, scope: Scope): Expr {
  const { windows } = scope;
  if (name !== 'row_number' || windows === undefined) throw unsupported(`${name} over a window here`);
  const compile = (node: Node) => settled(scope.compile(node));
  const partition = (over?.partitionClause ?? []).map(node => compile(node).eval);
  const sort = sortOf(over?.orderClause ?? [], compile);
  const at = windows.specs.length;
  windows.specs.push({
    number: restorable => {
      const rows = restorable.map((each, place) => {
        const x = each.restore();
        return { place, group: partition.map(evaluate => evaluate(x)), keys: sort.keys(x) };
      });
      const sorted = rows.toSorted((a, b) => sort.order(a.keys, b.keys));
      const numbers: number[] = [];
      const groups: { group: Values; count: number }[] = [];
      for (const { place, group } of sorted) {
        let found = groups.find(each => same(each.group, group));
        if (found === undefined) groups.push((found = { group, count: 0 }));
        numbers[place] = ++found.count;
      }
      return numbers;
    },
  });
  return { type: 'int8', eval: x => (x.rows[windows.slot] as Values)[at] };
}
