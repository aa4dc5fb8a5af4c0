import type { Value } from '../../storage/types.ts';
import { SqlError } from '../../types.ts';
import { commonType } from '../../values/types.ts';
import { coerced, type Eval, type Expr } from '../expr.ts';
import type { Run, Values } from '../run.ts';
import type { Query, Scope } from '../scope.ts';
import { type Body, must, strings, unsupported } from '../tree.ts';
import { testOf } from './comparisons.ts';

/** A subquery in an expression. One that hangs on no row around it is evaluated once a run, as PostgreSQL does. */
export function subLink(body: Body<'SubLink'>, scope: Scope): Expr {
  const { compilation } = scope;
  compilation.dear++;
  const made = compilation.tracking(() => kindOf(body, scope));
  const { type, eval: evaluate } = made.result;
  if (made.uses.size > 0 || body.subLinkType === 'ANY_SUBLINK') return made.result;
  const at = compilation.memo();
  return { type, eval: x => once(x, at, evaluate) };
}

function once(x: Run, at: number, evaluate: Eval): Value {
  const known = x.memo[at];
  if (known !== undefined) return known;
  const value = evaluate(x);
  x.memo[at] = value;
  return value;
}

function kindOf(body: Body<'SubLink'>, scope: Scope): Expr {
  const select = must(body.subselect, 'SelectStmt');
  switch (body.subLinkType) {
    case 'EXISTS_SUBLINK': {
      const query = scope.query(select);
      return { type: 'bool', eval: x => query.exists(x) };
    }
    case 'EXPR_SUBLINK': {
      const query = scope.query(select);
      return { type: onlyColumn(query).type, eval: x => onlyValue(query.rows(x)) };
    }
    case 'ARRAY_SUBLINK': {
      const query = scope.query(select);
      return { type: `${onlyColumn(query).type}[]`, eval: x => query.rows(x).map(row => row[0]) };
    }
    case 'ANY_SUBLINK':
      return anyOf(body, scope);
    default:
      throw unsupported(String(body.subLinkType));
  }
}

function onlyColumn({ columns }: Query) {
  const [column] = columns;
  if (column === undefined || columns.length !== 1) throw new SqlError('42601', 'subquery must return only one column');
  return column;
}

function onlyValue(rows: readonly Values[]): Value {
  const [row, another] = rows;
  if (another !== undefined) throw new SqlError('21000', 'more than one row returned by a subquery used as an expression');
  return row === undefined ? null : row[0];
}

function anyOf({ testexpr, operName, subselect }: Body<'SubLink'>, scope: Scope): Expr {
  if (testexpr === undefined) throw unsupported('any without a value');
  const { compilation } = scope;
  const { result: query, uses } = compilation.tracking(() => scope.query(must(subselect, 'SelectStmt')));
  const left = scope.compile(testexpr);
  const column = onlyColumn(query);
  const type = commonType([left.type, column.type]);
  if (type !== column.type) throw unsupported(`any of ${column.type} for ${left.type}`);
  const one = coerced(left, type).eval;
  const test = testOf(strings(operName).at(-1) ?? '=', type);
  const at = uses.size === 0 ? compilation.memo() : undefined;
  return {
    type: 'bool',
    eval: x => {
      const rows = at === undefined ? query.rows(x) : (once(x, at, () => query.rows(x)) as readonly Values[]);
      if (rows.length === 0) return false;
      const value = one(x);
      if (value === null) return null;
      let isUnknown = false;
      for (const [each] of rows) {
        if (each === null) isUnknown = true;
        else if (test(value, each)) return true;
      }
      return isUnknown ? null : false;
    },
  };
}
