import type { Node } from '@libpg-query/parser';
import { setFunctions } from '../../functions/index.ts';
import type { Rows } from '../../functions/sets.ts';
import { SqlError } from '../../types.ts';
import { typeNamed, typeOf } from '../../values/types.ts';
import { nameOfCall, storedArguments } from '../expressions/calls.ts';
import { coerced, type ColumnInfo } from '../expr.ts';
import type { Run, Values } from '../run.ts';
import { Scope } from '../scope.ts';
import { as, type Body, conjuncts, must, nameOf, strings, unsupported } from '../tree.ts';
import type { Condition, From, Source } from './source.ts';

/** Compiles FROM and adds what it names to the scope. Inner joins are taken apart into their sources and conditions. */
export function compileFrom(nodes: readonly Node[], scope: Scope): From {
  const sources: Source[] = [];
  const conditions: Condition[] = [];
  const add = (node: Node): Source[] => {
    const join = as(node, 'JoinExpr');
    if (join === undefined) {
      const source = compileSource(node, scope);
      sources.push(source);
      return [source];
    }
    return addJoin(join);
  };
  const addJoin = ({ jointype, larg, rarg, quals, usingClause, alias }: Body<'JoinExpr'>): Source[] => {
    if (larg === undefined || rarg === undefined || usingClause !== undefined || alias !== undefined)
      throw unsupported('this join');
    const left = add(larg);
    if (jointype === 'JOIN_INNER') {
      const right = add(rarg);
      conditions.push(...compileConditions(quals, scope));
      return [...left, ...right];
    }
    if (jointype !== 'JOIN_LEFT' || as(rarg, 'JoinExpr') !== undefined) throw unsupported(`${jointype} of ${nameOf(rarg)}`);
    const right = compileSource(rarg, scope);
    const outer = { on: compileConditions(quals, scope), after: new Set(left.map(source => source.slot)) };
    sources.push({ ...right, outer });
    return [...left, right];
  };
  for (const node of nodes) add(node);
  return { sources, conditions };
}

export function compileConditions(node: Node | undefined, scope: Scope): Condition[] {
  const { compilation } = scope;
  return conjuncts(node).map(term => {
    const { dear } = compilation;
    const { result, uses } = compilation.tracking(() => coerced(scope.compile(term), 'bool'));
    return { expr: result, uses, isDear: compilation.dear > dear };
  });
}

function compileSource(node: Node, scope: Scope): Source {
  const range = as(node, 'RangeVar');
  if (range !== undefined) return named(range, scope);
  const select = as(node, 'RangeSubselect');
  if (select !== undefined) return subselect(select, scope);
  const call = as(node, 'RangeFunction');
  if (call !== undefined) return functionSource(call, scope);
  throw unsupported(`${nameOf(node)} in FROM`);
}

/** As the alias of a relation names its columns. */
export function renamed(columns: readonly ColumnInfo[], alias: Body<'Alias'> | undefined): readonly ColumnInfo[] {
  const names = strings(alias?.colnames);
  return columns.map((column, i) => ({ ...column, name: names[i] ?? column.name }));
}

export function tableName({ schemaname, relname = '' }: Body<'RangeVar'>): string {
  return schemaname === undefined || schemaname === 'skep' ? relname : `${schemaname}.${relname}`;
}

const none: ReadonlySet<number> = new Set();

function named(range: Body<'RangeVar'>, scope: Scope): Source {
  const alias = range.alias?.aliasname ?? range.relname ?? '';
  const common = range.schemaname === undefined ? scope.commonTable(range.relname ?? '') : undefined;
  if (common !== undefined) {
    const { slot, columns } = scope.add(alias, renamed(common.columns, range.alias));
    const { uses } = scope.compilation.tracking(() => common.touch());
    return { slot, alias, columns, table: undefined, rows: x => common.rows(x), uses, outer: undefined };
  }
  const table = scope.compilation.compiler.catalog.table(tableName(range));
  const all = table.columns.map(({ name, type }) => ({ name, type: typeNamed(type) }));
  const { slot, columns } = scope.add(alias, renamed(all, range.alias));
  return { slot, alias, columns, table, rows: undefined, uses: none, outer: undefined };
}

function subselect({ lateral, subquery, alias }: Body<'RangeSubselect'>, scope: Scope): Source {
  const { compilation } = scope;
  const inner = lateral === true ? new Scope(compilation, scope) : new Scope(compilation, scope.parent);
  const { result: query, uses } = compilation.tracking(() => inner.query(must(subquery, 'SelectStmt')));
  const { slot, columns } = scope.add(alias?.aliasname ?? '', renamed(query.columns, alias));
  const rows = (x: Run) => query.rows(x);
  const made = uses.size === 0 ? once(rows, compilation.memo()) : rows;
  return { slot, alias: alias?.aliasname ?? '', columns, table: undefined, rows: made, uses, outer: undefined };
}

/** What hangs on nothing is made once a run. */
function once(rows: (x: Run) => readonly Values[], at: number): (x: Run) => readonly Values[] {
  return x => {
    const known = x.memo[at] as readonly Values[] | undefined;
    if (known !== undefined) return known;
    const made = rows(x);
    x.memo[at] = made;
    return made;
  };
}

function functionSource(range: Body<'RangeFunction'>, scope: Scope): Source {
  const { functions = [], alias, coldeflist = [], ordinality } = range;
  const [list] = functions;
  if (list === undefined || functions.length !== 1) throw unsupported('rows from several functions');
  const call = must(must(list, 'List').items?.[0], 'FuncCall');
  const defined = coldeflist.map(each => {
    const { colname = '', typeName } = must(each, 'ColumnDef');
    if (typeName === undefined) throw new SqlError('42601', `the column ${colname} has no type`);
    return { name: colname, type: typeOf(typeName) };
  });
  const { result, uses } = scope.compilation.tracking(() => rowsOfCall(call, defined, scope));
  const isScalar = result.columns.length === 1 && result.takesAlias;
  const own = result.columns.map(column => (isScalar ? { ...column, name: alias?.aliasname ?? column.name } : column));
  const counted = ordinality === true ? [...own, { name: 'ordinality', type: 'int8' }] : own;
  const { slot, columns } = scope.add(alias?.aliasname ?? nameOfCall(call), renamed(counted, alias));
  const { rows } = result;
  const made = ordinality === true ? (x: Run) => rows(x).map((row, i) => [...row, i + 1]) : rows;
  return { slot, alias: alias?.aliasname ?? '', columns, table: undefined, rows: made, uses, outer: undefined };
}

/** `takesAlias`: it gives values and not rows, so that the alias names them. */
function rowsOfCall(call: Body<'FuncCall'>, defined: readonly ColumnInfo[], scope: Scope): Rows & { takesAlias: boolean } {
  const name = nameOfCall(call);
  const set = setFunctions[name];
  if (set !== undefined) {
    const made = set(
      (call.args ?? []).map(arg => scope.compile(arg)),
      defined,
    );
    return { ...made, takesAlias: name === 'unnest' || name === 'generate_series' };
  }
  const stored = scope.compilation.compiler.function(name);
  if (stored === undefined) {
    const { type, eval: evaluate } = scope.compile({ FuncCall: call });
    return { columns: [{ name, type }], rows: x => [[evaluate(x)]], takesAlias: true };
  }
  scope.compilation.dear++;
  const args = storedArguments(stored, name, { body: call, scope });
  const columns = stored.fields ?? [{ name, type: stored.type }];
  return {
    columns,
    rows: x =>
      stored.call(
        x,
        args.map(evaluate => evaluate(x)),
      ),
    takesAlias: stored.fields === undefined,
  };
}
