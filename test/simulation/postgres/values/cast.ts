import type { Value } from '../storage/types.ts';
import { SqlError } from '../types.ts';
import { Json } from './json.ts';
import { inRange, parseText, writeText } from './text.ts';
import { elementOf, isArray, isInteger, isNumber, type Type } from './types.ts';

/** Of a value that is not null. */
export type Conversion = (value: Value) => Value;

/** Undefined where nothing is to be done; throws a plain Error where this cast is not known here. */
export function castBetween(from: Type, to: Type): Conversion | undefined {
  if (from === to || to === 'void' || to === 'record') return undefined;
  if (isArray(from) && isArray(to)) {
    const element = castBetween(elementOf(from), elementOf(to));
    return element && (value => (value as Value[]).map(each => (each === null ? null : element(each))));
  }
  if (to === 'text') return writeText;
  if (from === 'text' || from === 'unknown') return value => parseText(to, value as string);
  if (isNumber(from) && isInteger(to))
    return value => inRange(to, isInteger(from) ? (value as number) : roundedFrom(from, value as number));
  if (isNumber(from) && isNumber(to)) return undefined;
  if (from === 'bool' && to === 'int4') return Number;
  if (from === 'int4' && to === 'bool') return Boolean;
  if ((from === 'jsonb' || from === 'json') && (to === 'jsonb' || to === 'json')) return undefined;
  if (from === 'jsonb' && (isNumber(to) || to === 'bool')) return value => scalarOf(value as Json, to);
  throw new Error(`the memory PostgreSQL does not cast ${from} to ${to}`);
}

/** What the driver is given for a parameter of this type, as a value of it; throws SqlError 22P02. */
export function binderOf(type: Type): Conversion {
  const other: Conversion = raw => fromDriver(type, raw);
  if (type === 'text') return raw => (typeof raw === 'string' ? raw : other(raw));
  if (type === 'uuid') return raw => (typeof raw === 'string' && plainUuid.test(raw) ? raw : other(raw));
  if (type === 'int4') return raw => (typeof raw === 'number' && (raw | 0) === raw ? raw : other(raw));
  return other;
}

const plainUuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

function fromDriver(type: Type, raw: unknown): Value {
  if (raw === null || raw === undefined) return null;
  if (Array.isArray(raw)) {
    if (isArray(type)) return raw.map(each => fromDriver(elementOf(type), each));
    throw new SqlError('22P02', `an array was given for a parameter of type ${type}`);
  }
  if (raw instanceof Date) return type === 'timestamptz' ? new Date(raw) : parseText(type, raw.toISOString());
  if (raw instanceof Buffer) {
    if (type === 'bytea') return raw;
    throw new SqlError('22P02', `bytes were given for a parameter of type ${type}`);
  }
  if (typeof raw === 'boolean' && type === 'bool') return raw;
  return parseText(type, typeof raw === 'string' ? raw : JSON.stringify(raw));
}

/** Of an element of JSON, as jsonb_to_recordset makes a column of it. */
export function fromJson(type: Type, value: unknown): Value {
  if (value === null || value === undefined) return null;
  if (type === 'jsonb' || type === 'json') return Json.of(value);
  if (Array.isArray(value) && isArray(type)) return value.map(each => fromJson(elementOf(type), each));
  if (typeof value === 'string') return parseText(type, value);
  return parseText(type, typeof value === 'object' ? Json.of(value).toString() : JSON.stringify(value));
}

/** Halves go away from zero in numeric, to the even neighbour in double precision. */
export function roundedFrom(type: Type, value: number): number {
  const down = Math.floor(value);
  if (type === 'float8') return value - down === 0.5 ? down + (down % 2 === 0 ? 0 : 1) : Math.round(value);
  return value < 0 ? -Math.round(-exact(value)) : Math.round(exact(value));
}

/** Numeric is decimal: what binary fractions have added in the last digits is taken off before it decides. */
export function exact(value: number): number {
  return Number.isInteger(value) ? value : Number(value.toPrecision(15));
}

function scalarOf(json: Json, to: Type): Value {
  const { value } = json;
  if (to === 'bool' ? typeof value !== 'boolean' : typeof value !== 'number') {
    throw new SqlError('22023', `cannot cast jsonb ${typeof value} to type ${to}`);
  }
  return isInteger(to) ? inRange(to, roundedFrom('numeric', value as number)) : value;
}
