import { SqlError } from '../../types.ts';
import { keyOf } from '../../values/compare.ts';
import type { Run, Values } from '../run.ts';
import { type CommonTable, type Query, Scope } from '../scope.ts';
import { as, type Body, must, unsupported } from '../tree.ts';
import { renamed } from './from.ts';

type CommonTableNode = Body<'CommonTableExpr'>;
type Rounds = (x: Run) => readonly Values[];

/** A scope with the tables of a WITH: each is made once a run, when it is first asked for. */
export function scopeWith(clause: Body<'WithClause'> | undefined, outer: Scope): Scope {
  if (clause === undefined) return outer;
  const scope = new Scope(outer.compilation, outer);
  for (const node of clause.ctes ?? []) {
    const common = must(node, 'CommonTableExpr');
    const name = common.ctename ?? '';
    const { result, uses } = outer.compilation.tracking(() =>
      compileCommon(common, { scope, isRecursive: clause.recursive === true }),
    );
    if (uses.size > 0) throw unsupported(`the table ${name} of a WITH that hangs on the rows around it`);
    scope.tables.set(name, result);
  }
  return scope;
}

function compileCommon(node: CommonTableNode, { scope, isRecursive }: { scope: Scope; isRecursive: boolean }): CommonTable {
  const { compilation } = scope;
  const { ctename = '', ctequery, aliascolnames = [] } = node;
  const alias = { aliasname: ctename, colnames: aliascolnames };
  const select = as(ctequery, 'SelectStmt');
  if (select !== undefined && isRecursive && select.op === 'SETOP_UNION') return recursive(node, select, scope);
  const { columns, rows } = select === undefined ? compilation.compiler.write(ctequery, scope) : scope.query(select);
  const at = compilation.memo();
  if (select === undefined) compilation.writers.push(x => void kept(x, at, rows));
  return { columns: renamed(columns, alias), rows: x => kept(x, at, rows), touch: () => {} };
}

function kept(x: Run, at: number, rows: Rounds): readonly Values[] {
  const known = x.memo[at] as readonly Values[] | undefined;
  if (known !== undefined) return known;
  const made = rows(x);
  x.memo[at] = made;
  return made;
}

const roundCountMax = 10_000;

/** The first part, and then the second of what came last, until nothing new comes. */
function recursive(node: CommonTableNode, { larg, rarg, all }: Body<'SelectStmt'>, scope: Scope): CommonTable {
  if (larg === undefined || rarg === undefined) throw unsupported('this recursion');
  const { compilation } = scope;
  const first = scope.query(larg);
  const columns = renamed(first.columns, { aliasname: node.ctename ?? '', colnames: node.aliascolnames ?? [] });
  const inner = new Scope(compilation, scope);
  const [at, working, round] = [compilation.memo(), compilation.memo(), compilation.slot()];
  const rows: Rounds = x => (x.memo[working] as readonly Values[] | undefined) ?? [];
  inner.tables.set(node.ctename ?? '', { columns, rows, touch: () => compilation.touch(round) });
  const next = inner.query(rarg, { types: columns.map(column => column.type) });
  const made = (x: Run) => repeated(x, { first, next, isAll: all === true, working });
  return { columns, rows: x => kept(x, at, made), touch: () => {} };
}

interface Recursion {
  readonly first: Query;
  readonly next: Query;
  readonly isAll: boolean;
  readonly working: number;
}

function repeated(x: Run, { first, next, isAll, working }: Recursion): Values[] {
  const seen = new Set<string>();
  const fresh = (rows: readonly Values[]) =>
    rows.filter(row => {
      const key = keyOf(row);
      return isAll || (!seen.has(key) && seen.add(key));
    });
  const out: Values[] = [];
  let last = fresh(first.rows(x));
  for (let i = 0; last.length > 0; i++) {
    if (i >= roundCountMax) throw new SqlError('54000', `a recursion took more than ${roundCountMax} rounds`);
    out.push(...last);
    x.memo[working] = last;
    last = fresh(next.rows(x));
  }
  return out;
}
