import type { Node } from '@libpg-query/parser';
import type { Value } from '../../storage/types.ts';
import { equalOf, orderOf, same } from '../../values/compare.ts';
import { commonType, elementOf, isArray } from '../../values/types.ts';
import { coerced, type Eval, type Expr, settled } from '../expr.ts';
import type { Scope } from '../scope.ts';
import { as, type Body, must, strings, unsupported } from '../tree.ts';
import { compare, matched, negated, operate, orders } from './operators.ts';

type Operation = Body<'A_Expr'>;

export function anExpression(body: Operation, scope: Scope): Expr {
  const handler = kinds[body.kind ?? ''];
  if (handler === undefined) throw unsupported(String(body.kind));
  return handler(body, scope);
}

const kinds: Readonly<Record<string, (body: Operation, scope: Scope) => Expr>> = {
  AEXPR_OP: operation,
  AEXPR_IN: isIn,
  AEXPR_OP_ANY: (body, scope) => ofArray(body, scope, true),
  AEXPR_OP_ALL: (body, scope) => ofArray(body, scope, false),
  AEXPR_LIKE: operation,
  AEXPR_DISTINCT: (body, scope) => distinct(body, scope, true),
  AEXPR_NOT_DISTINCT: (body, scope) => distinct(body, scope, false),
  AEXPR_NULLIF: nullIf,
  AEXPR_BETWEEN: between,
};

const operatorOf = ({ name }: Operation) => strings(name).at(-1) ?? '';

function side(node: Node | undefined, scope: Scope): Expr {
  if (node === undefined) throw unsupported('an operator with one side');
  return scope.compile(node);
}

function operation(body: Operation, scope: Scope): Expr {
  const operator = operatorOf(body);
  if (body.lexpr === undefined && operator === '-') return negated(side(body.rexpr, scope));
  const rows = [as(body.lexpr, 'RowExpr'), as(body.rexpr, 'RowExpr')] as const;
  if (rows[0] !== undefined && rows[1] !== undefined) return compareRows(operator, [rows[0], rows[1]], scope);
  const { compilation } = scope;
  const left = compilation.tracking(() => side(body.lexpr, scope));
  const right = compilation.tracking(() => side(body.rexpr, scope));
  const made = operate(operator, left.result, right.result);
  if (operator !== '=') return made;
  const [one, other] = matched(left.result, right.result);
  return { ...made, equality: { left: { expr: one, uses: left.uses }, right: { expr: other, uses: right.uses } } };
}

/** Element by element; the first that differs decides, and one that is null leaves it open. */
function compareRows(operator: string, [left, right]: readonly [Body<'RowExpr'>, Body<'RowExpr'>], scope: Scope): Expr {
  const rights = right.args ?? [];
  const pairs = (left.args ?? []).map((each, i) => {
    const [one, other] = matched(scope.compile(each), side(rights[i], scope));
    return {
      one: one.eval,
      other: other.eval,
      order: operator === '=' || operator === '<>' ? undefined : orderOf(one.type),
      equal: equalOf(one.type),
    };
  });
  if (operator === '=' || operator === '<>') {
    const isEqual: Eval = x => {
      let isUnknown = false;
      for (const { one, other, equal } of pairs) {
        const [a, b] = [one(x), other(x)];
        if (a === null || b === null) isUnknown = true;
        else if (!equal(a, b)) return false;
      }
      return isUnknown ? null : true;
    };
    if (operator === '=') return { type: 'bool', eval: isEqual };
    return { type: 'bool', eval: x => not(isEqual(x)) };
  }
  const test = orders[operator];
  if (test === undefined) throw unsupported(`rows ${operator} rows`);
  return {
    type: 'bool',
    eval: x => {
      for (const { one, other, order } of pairs) {
        const [a, b] = [one(x), other(x)];
        if (a === null || b === null) return null;
        const found = order?.(a, b) ?? 0;
        if (found !== 0) return test(found);
      }
      return test(0);
    },
  };
}

const not = (value: Value): Value => (value === null ? null : !(value as boolean));

/** Several values may be of several types, so that all of them are brought to one. */
function isIn(body: Operation, scope: Scope): Expr {
  const isWanted = operatorOf(body) === '=';
  const left = side(body.lexpr, scope);
  const items = (must(body.rexpr, 'List').items ?? []).map(item => scope.compile(item));
  const type = commonType([left.type, ...items.map(item => item.type)]);
  const one = coerced(left, type).eval;
  const others = items.map(item => coerced(item, type));
  if (others.every(item => item.constant !== undefined) && (type === 'text' || type === 'int4' || type === 'uuid')) {
    const values = others.map(item => item.constant?.value);
    const hasNull = values.includes(null);
    return {
      type: 'bool',
      eval: x => {
        const value = one(x);
        if (value === null) return null;
        if (values.includes(value)) return isWanted;
        return hasNull ? null : !isWanted;
      },
    };
  }
  const equal = equalOf(type);
  const evals = others.map(item => item.eval);
  const found: Eval = x => {
    const value = one(x);
    if (value === null) return null;
    let isUnknown = false;
    for (const evaluate of evals) {
      const other = evaluate(x);
      if (other === null) isUnknown = true;
      else if (equal(value, other)) return true;
    }
    return isUnknown ? null : false;
  };
  return { type: 'bool', eval: isWanted ? found : x => not(found(x)) };
}

/** `= any` and `<> all`, with null as a value that might be anything. */
function ofArray(body: Operation, scope: Scope, isAny: boolean): Expr {
  const operator = operatorOf(body);
  const [left, right] = [side(body.lexpr, scope), side(body.rexpr, scope)];
  if (right.type !== 'unknown' && !isArray(right.type)) throw unsupported(`any or all of ${right.type}`);
  const element = commonType([left.type, right.type === 'unknown' ? 'unknown' : elementOf(right.type)]);
  const one = coerced(left, element).eval;
  const list = coerced(right, `${element}[]`).eval;
  const test = testOf(operator, element);
  return {
    type: 'bool',
    eval: x => {
      const array = list(x) as Value[] | null;
      if (array === null) return null;
      if (array.length === 0) return !isAny;
      const value = one(x);
      if (value === null) return null;
      let isUnknown = false;
      for (const each of array) {
        if (each === null) isUnknown = true;
        else if (test(value, each) === isAny) return isAny;
      }
      return isUnknown ? null : !isAny;
    },
  };
}

export function testOf(operator: string, type: string): (a: Value, b: Value) => boolean {
  const equal = operator === '=' || operator === '<>' ? equalOf(type) : undefined;
  if (equal !== undefined) return operator === '=' ? equal : (a, b) => !equal(a, b);
  const test = orders[operator];
  if (test === undefined) throw unsupported(`${operator} any or all`);
  const order = orderOf(type);
  return (a, b) => test(order(a, b));
}

function distinct(body: Operation, scope: Scope, isWanted: boolean): Expr {
  const [one, other] = matched(side(body.lexpr, scope), side(body.rexpr, scope));
  const [left, right] = [one.eval, other.eval];
  return { type: 'bool', eval: x => same(left(x), right(x)) !== isWanted };
}

function nullIf(body: Operation, scope: Scope): Expr {
  const left = side(body.lexpr, scope);
  const isEqual = compare('=', left, side(body.rexpr, scope)).eval;
  const { type, eval: evaluate } = settled(left);
  return { type, eval: x => (isEqual(x) === true ? null : evaluate(x)) };
}

function between(body: Operation, scope: Scope): Expr {
  const left = side(body.lexpr, scope);
  const [low, high] = must(body.rexpr, 'List').items ?? [];
  const from = compare('>=', left, side(low, scope));
  const to = compare('<=', left, side(high, scope));
  const both: Eval = x => {
    const [a, b] = [from.eval(x), to.eval(x)];
    if (a === false || b === false) return false;
    return a === null || b === null ? null : true;
  };
  return { type: 'bool', eval: both };
}
