import type { Value } from '../../storage/types.ts';
import { Json } from '../../values/json.ts';
import { commonType, elementOf, isArray } from '../../values/types.ts';
import { coerced, type Expr } from '../expr.ts';

/** `||` of texts, arrays, an array and an element, and jsonb. */
export function concatenation(left: Expr, right: Expr): Expr {
  if (isArray(left.type) || isArray(right.type)) return arrays(left, right);
  if (left.type === 'jsonb' || right.type === 'jsonb') {
    return both('jsonb', [coerced(left, 'jsonb'), coerced(right, 'jsonb')], (a, b) => merged(a as Json, b as Json));
  }
  return both('text', [coerced(left, 'text'), coerced(right, 'text')], (a, b) => (a as string) + (b as string));
}

function both(type: string, [left, right]: readonly [Expr, Expr], combine: (a: Value, b: Value) => Value): Expr {
  const [one, other] = [left.eval, right.eval];
  return {
    type,
    eval: x => {
      const a = one(x);
      const b = other(x);
      return a === null || b === null ? null : combine(a, b);
    },
  };
}

/** Null adds nothing to an array, but is an element where the other side says that it is one. */
function arrays(left: Expr, right: Expr): Expr {
  const isList = (expr: Expr) => isArray(expr.type) || expr.type === 'unknown';
  const elements = [left, right].map(each => (isArray(each.type) ? elementOf(each.type) : each.type));
  const element = commonType(elements);
  const type = `${element}[]`;
  const [one, other] = [left, right].map(each => coerced(each, isList(each) ? type : element).eval);
  if (one === undefined || other === undefined) throw new Error('an operator has two sides');
  const [isLeft, isRight] = [isList(left), isList(right)];
  return {
    type,
    eval: x => {
      const a = one(x);
      const b = other(x);
      const from = isLeft ? (a as Value[] | null) : [a];
      const to = isRight ? (b as Value[] | null) : [b];
      if (from === null) return to;
      return to === null ? from : [...from, ...to];
    },
  };
}

function merged(a: Json, b: Json): Json {
  const isObject = (value: unknown) => typeof value === 'object' && value !== null && !Array.isArray(value);
  if (isObject(a.value) && isObject(b.value)) return Json.of({ ...(a.value as object), ...(b.value as object) });
  const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : [value]);
  return Json.of([...list(a.value), ...list(b.value)]);
}
