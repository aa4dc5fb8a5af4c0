import type { Value } from '../../storage/types.ts';
import { SqlError } from '../../types.ts';
import { equalOf, orderOf } from '../../values/compare.ts';
import { Interval } from '../../values/interval.ts';
import { Json } from '../../values/json.ts';
import { exact } from '../../values/cast.ts';
import { inRange } from '../../values/text.ts';
import { commonType, elementOf, isArray, isInteger, isNumber, type Type, widerOf } from '../../values/types.ts';
import { coerced, type Eval, type Expr, settled } from '../expr.ts';
import type { Values } from '../run.ts';
import { unsupported } from '../tree.ts';
import { concatenation } from './concatenation.ts';

type Binary = (a: Value, b: Value) => Value;

/** An operator between two expressions, of the types that these bring or take from each other. */
export function operate(operator: string, left: Expr, right: Expr): Expr {
  if (comparisons.has(operator)) return compare(operator, left, right);
  if (operator === '||') return concatenation(left, right);
  const json = jsonOperators[operator];
  if (json !== undefined) return json(left, right);
  if (operator === '<@') return contained(left, right);
  if (operator === '@>') return contained(right, left);
  if (operator === '&&') return sharing(left, right);
  if (operator in arithmetic) return calculate(operator, left, right);
  const matches = matchers[operator];
  if (matches !== undefined) return strict('bool', [coerced(left, 'text'), coerced(right, 'text')], matches);
  throw unsupported(`the operator ${operator}`);
}

const comparisons = new Set(['=', '<>', '<', '>', '<=', '>=']);

/** Null where either is. */
function strict(type: Type, [left, right]: readonly [Expr, Expr], combine: Binary): Expr {
  const [one, other] = [left.eval, right.eval];
  return {
    type,
    eval: x => {
      const a = one(x);
      if (a === null) return null;
      const b = other(x);
      return b === null ? null : combine(a, b);
    },
  };
}

/** Both of the type in which they are compared. */
export function matched(left: Expr, right: Expr): readonly [Expr, Expr] {
  if (left.type === right.type) return left.type === 'unknown' ? [settled(left), settled(right)] : [left, right];
  const type = commonType([left.type, right.type]);
  return [coerced(left, type), coerced(right, type)];
}

export function compare(operator: string, left: Expr, right: Expr): Expr {
  const [one, other] = matched(left, right);
  const { type } = one;
  if (operator === '=' || operator === '<>') return equate(operator === '=', one, other);
  const order = orderOf(type);
  const test = orders[operator];
  if (test === undefined) throw unsupported(`the operator ${operator}`);
  return strict('bool', [one, other], (a, b) => test(order(a, b)));
}

export const orders: Readonly<Record<string, (order: number) => boolean>> = {
  '<': order => order < 0,
  '>': order => order > 0,
  '<=': order => order <= 0,
  '>=': order => order >= 0,
};

function equate(isWanted: boolean, one: Expr, other: Expr): Expr {
  const equal = equalOf(one.type);
  if (one.type !== 'text' && one.type !== 'uuid') return strict('bool', [one, other], (a, b) => equal(a, b) === isWanted);
  const fixed = other.constant?.value;
  return {
    type: 'bool',
    eval: typeof fixed === 'string' ? isText(one, fixed, isWanted) : isSameText(one.eval, other.eval, isWanted),
  };
}

/** Most of what is asked of a row is this: whether a column is some word. */
function isText({ column, eval: evaluate }: Expr, fixed: string, isWanted: boolean): Eval {
  if (column === undefined)
    return x => {
      const value = evaluate(x);
      return value === null ? null : (value === fixed) === isWanted;
    };
  const { slot, position } = column;
  return x => {
    const value = (x.rows[slot] as Values)[position];
    return value === null ? null : (value === fixed) === isWanted;
  };
}

function isSameText(one: Eval, other: Eval, isWanted: boolean): Eval {
  return x => {
    const a = one(x);
    if (a === null) return null;
    const b = other(x);
    return b === null ? null : (a === b) === isWanted;
  };
}

const arithmetic: Readonly<Record<string, (a: number, b: number, type: Type) => number>> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b, type) => {
    if (b === 0) throw new SqlError('22012', 'division by zero');
    return isInteger(type) ? Math.trunc(a / b) : a / b;
  },
  '%': (a, b) => {
    if (b === 0) throw new SqlError('22012', 'division by zero');
    return a % b;
  },
};

function calculate(operator: string, left: Expr, right: Expr): Expr {
  const span = spans(operator, left, right);
  if (span !== undefined) return span;
  const type = left.type === 'unknown' ? right.type : right.type === 'unknown' ? left.type : widerOf(left.type, right.type);
  const [one, other] = [coerced(left, type), coerced(right, type)];
  const combine = arithmetic[operator];
  if (!isNumber(type) || combine === undefined) throw unsupported(`${left.type} ${operator} ${right.type}`);
  if (isInteger(type)) return strict(type, [one, other], (a, b) => inRange(type, combine(a as number, b as number, type)));
  if (type === 'numeric') return strict(type, [one, other], (a, b) => exact(combine(a as number, b as number, type)));
  return strict(type, [one, other], (a, b) => combine(a as number, b as number, type));
}

/** Times and spans of time. */
function spans(operator: string, left: Expr, right: Expr): Expr | undefined {
  const kinds = `${left.type} ${operator} ${right.type}`;
  switch (kinds) {
    case 'timestamptz + interval':
      return strict('timestamptz', [left, right], (a, b) => (b as Interval).after(a as Date));
    case 'interval + timestamptz':
      return strict('timestamptz', [left, right], (a, b) => (a as Interval).after(b as Date));
    case 'timestamptz - interval':
      return strict('timestamptz', [left, right], (a, b) => (b as Interval).times(-1).after(a as Date));
    case 'timestamptz - timestamptz':
      return strict('interval', [left, right], (a, b) => new Interval(0, 0, (a as Date).getTime() - (b as Date).getTime()));
    case 'interval + interval':
      return strict('interval', [left, right], (a, b) => (a as Interval).plus(b as Interval));
    case 'interval - interval':
      return strict('interval', [left, right], (a, b) => (a as Interval).plus((b as Interval).times(-1)));
    default:
      if (operator !== '*') return undefined;
      if (left.type === 'interval') return strict('interval', [left, right], (a, b) => (a as Interval).times(b as number));
      if (right.type === 'interval') return strict('interval', [left, right], (a, b) => (b as Interval).times(a as number));
      return undefined;
  }
}

const jsonOperators: Readonly<Record<string, (left: Expr, right: Expr) => Expr>> = {
  '->': (left, right) => member([left, right], left.type, value => (value === undefined ? null : Json.of(value))),
  '->>': (left, right) => member([left, right], 'text', jsonText),
  '?': (left, right) => strict('bool', [left, coerced(right, 'text')], (a, b) => hasKey(a as Json, b as string)),
  '?|': (left, right) =>
    strict('bool', [left, coerced(right, 'text[]')], (a, b) => (b as string[]).some(key => hasKey(a as Json, key))),
  '?&': (left, right) =>
    strict('bool', [left, coerced(right, 'text[]')], (a, b) => (b as string[]).every(key => hasKey(a as Json, key))),
};

/** By a key, or by a number from 0. */
function member([left, right]: readonly [Expr, Expr], type: Type, read: (value: unknown) => Value): Expr {
  if (left.type !== 'jsonb' && left.type !== 'json') throw unsupported(`a member of ${left.type}`);
  const key = isInteger(right.type) ? right : coerced(right, 'text');
  return strict(type, [left, key], (a, b) => {
    const { value } = a as Json;
    if (typeof value !== 'object' || value === null || Array.isArray(value) !== (typeof b === 'number')) return null;
    if (Array.isArray(value)) return read(value.at(b as number));
    return Object.hasOwn(value, b as string) ? read((value as Record<string, unknown>)[b as string]) : null;
  });
}

function jsonText(value: unknown): string | null {
  if (value === undefined || value === null) return null;
  return typeof value === 'string' ? value : Json.of(value).toString();
}

function hasKey({ value }: Json, key: string): boolean {
  if (Array.isArray(value)) return value.includes(key);
  if (typeof value === 'object' && value !== null) return Object.hasOwn(value, key);
  return value === key;
}

function arrays(left: Expr, right: Expr): readonly [Expr, Expr] {
  const [one, other] = matched(left, right);
  if (!isArray(one.type)) throw unsupported(`<@, @> or && of ${one.type}`);
  return [one, other];
}

/** Null is in no array. */
function contained(inner: Expr, outer: Expr): Expr {
  const both = arrays(inner, outer);
  const equal = equalOf(elementOf(both[0].type));
  return strict('bool', both, (a, b) =>
    (a as Value[]).every(each => each !== null && (b as Value[]).some(other => other !== null && equal(each, other))),
  );
}

function sharing(left: Expr, right: Expr): Expr {
  const both = arrays(left, right);
  const equal = equalOf(elementOf(both[0].type));
  return strict('bool', both, (a, b) =>
    (a as Value[]).some(each => each !== null && (b as Value[]).some(other => other !== null && equal(each, other))),
  );
}

const patterns = new Map<string, RegExp>();

function patternOf(key: string, make: () => RegExp): RegExp {
  let made = patterns.get(key);
  if (made === undefined) {
    made = make();
    patterns.set(key, made);
  }
  return made;
}

const regex = (source: Value, flags: string) =>
  patternOf(`${flags}/${source as string}`, () => new RegExp(source as string, flags));

/** `%` is any text, `_` any letter, a backslash takes both their meaning. */
function like(pattern: Value): RegExp {
  const text = pattern as string;
  return patternOf(`like/${text}`, () => {
    const source = text.replaceAll(/\\?./gs, sign => {
      if (sign === '%') return '.*';
      if (sign === '_') return '.';
      return (sign.length > 1 ? sign.slice(1) : sign).replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
    });
    return new RegExp(`^${source}$`, 's');
  });
}

const matchers: Readonly<Record<string, Binary>> = {
  '~': (a, b) => regex(b, 's').test(a as string),
  '!~': (a, b) => !regex(b, 's').test(a as string),
  '~*': (a, b) => regex(b, 'si').test(a as string),
  '~~': (a, b) => like(b).test(a as string),
  '!~~': (a, b) => !like(b).test(a as string),
};

/** A minus before a value. */
export function negated(expr: Expr): Expr {
  const { eval: evaluate, type, constant } = expr;
  const turn = (value: Value): Value =>
    value === null ? null : value instanceof Interval ? value.times(-1) : -(value as number);
  if (!isNumber(type) && type !== 'interval') throw unsupported(`- ${type}`);
  const turned: Eval = x => turn(evaluate(x));
  return constant === undefined ? { type, eval: turned } : { type, eval: turned, constant: { value: turn(constant.value) } };
}
