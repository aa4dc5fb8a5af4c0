import type { Value } from '../storage/types.ts';
import { Interval } from './interval.ts';
import { Json, jsonEqual } from './json.ts';
import { elementOf, isArray, type Type } from './types.ts';

/** Of two values that are not null. */
type Order = (a: Value, b: Value) => number;
type Equal = (a: Value, b: Value) => boolean;

export function orderOf(type: Type): Order {
  if (isArray(type)) return arrayOrder(orderOf(elementOf(type)));
  switch (type) {
    case 'int2':
    case 'int4':
    case 'int8':
    case 'numeric':
    case 'float8':
    case 'bool':
      return (a, b) => (a as number) - (b as number);
    case 'timestamptz':
      return (a, b) => (a as Date).getTime() - (b as Date).getTime();
    case 'text':
    case 'uuid':
    case 'unknown':
      return (a, b) => (a === b ? 0 : (a as string) < (b as string) ? -1 : 1);
    case 'bytea':
      return (a, b) => Buffer.compare(a as Buffer, b as Buffer);
    case 'interval':
      return (a, b) => (a as Interval).totalMs - (b as Interval).totalMs;
    case 'record':
      return (a, b) => anyOrder(a, b);
    default:
      throw new Error(`the memory PostgreSQL does not order values of type ${type}`);
  }
}

const identical: Equal = (a, b) => a === b;

export function equalOf(type: Type): Equal {
  switch (type) {
    case 'timestamptz':
      return (a, b) => (a as Date).getTime() === (b as Date).getTime();
    case 'jsonb':
      return (a, b) => jsonEqual((a as Json).value, (b as Json).value);
    case 'bytea':
      return (a, b) => (a as Buffer).equals(b as Buffer);
    case 'record':
    case 'interval':
      return isEqual;
    case 'json':
      throw new Error('PostgreSQL compares no values of type json');
    default:
      return isArray(type) ? isEqual : identical;
  }
}

/** Of any two values of the same type. Null equals nothing, but for an element of an array. */
function isEqual(a: Value, b: Value): boolean {
  if (a === null || b === null) return false;
  return same(a, b);
}

/** As `is not distinct from`, and for what is grouped. */
export function same(a: Value, b: Value): boolean {
  if (a === b) return true;
  if (a === null || b === null) return false;
  if (a instanceof Date && b instanceof Date) return a.getTime() === b.getTime();
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((each, i) => same(each, b[i]));
  if (a instanceof Json && b instanceof Json) return jsonEqual(a.value, b.value);
  if (a instanceof Buffer && b instanceof Buffer) return a.equals(b);
  if (a instanceof Interval && b instanceof Interval) return a.totalMs === b.totalMs;
  return false;
}

/** The same text for what is `same`, to find it in a map. */
export function keyOf(value: Value): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (value instanceof Date) return `@${value.getTime()}`;
  if (value instanceof Buffer) return `x${value.toString('hex')}`;
  if (value instanceof Json) return `j${value.toString()}`;
  if (Array.isArray(value)) return `[${value.map(keyOf).join()}]`;
  return String(value);
}

/** Null goes last, as PostgreSQL has it in ascending order. */
function nullsLast(order: Order): Order {
  return (a, b) => (a === null ? (b === null ? 0 : 1) : b === null ? -1 : order(a, b));
}

function arrayOrder(order: Order): Order {
  const element = nullsLast(order);
  return (a, b) => {
    const [one, other] = [a as Value[], b as Value[]];
    for (let i = 0; i < one.length && i < other.length; i++) {
      const found = element(one[i], other[i]);
      if (found !== 0) return found;
    }
    return one.length - other.length;
  };
}

const anyOrder: Order = nullsLast((a, b) => {
  if (Array.isArray(a) && Array.isArray(b)) return arrayOrder(anyOrder)(a, b);
  if (a instanceof Date && b instanceof Date) return a.getTime() - b.getTime();
  if (typeof a === 'string' && typeof b === 'string') return a === b ? 0 : a < b ? -1 : 1;
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  throw new Error('the memory PostgreSQL does not order rows of these types');
});
