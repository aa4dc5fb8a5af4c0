import type { Value } from '../storage/types.ts';
import { SqlError } from '../types.ts';
import { coerced, type Expr, settled } from '../sql/expr.ts';
import { exact, roundedFrom } from '../values/cast.ts';
import { same } from '../values/compare.ts';
import { Interval } from '../values/interval.ts';
import { Json } from '../values/json.ts';
import { writeText } from '../values/text.ts';
import { elementOf, isArray, isInteger, isNumber, type Type } from '../values/types.ts';
import { fixed, type Scalar, shaped, type Shaped } from './scalar.ts';

const text = (call: (...args: string[]) => Value, takes: readonly Type[] = ['text'], gives: Type = 'text'): Scalar =>
  fixed({ takes, gives, call: args => call(...(args as string[])) });

/** Of values alone: the same every time. */
export const valueFunctions: Readonly<Record<string, Scalar>> = {
  make_interval: fixed(
    {
      takes: ['int4', 'int4', 'int4', 'int4', 'int4', 'int4', 'float8'],
      gives: 'interval',
      call: parts => {
        if (parts.some(part => part === null)) return null;
        const [years = 0, months = 0, weeks = 0, days = 0, hours = 0, mins = 0, secs = 0] = parts as (number | undefined)[];
        return new Interval(years * 12 + months, weeks * 7 + days, hours * 3_600_000 + mins * 60_000 + secs * 1000);
      },
    },
    { names: ['years', 'months', 'weeks', 'days', 'hours', 'mins', 'secs'], takesNull: true },
  ),
  extract: shaped(([field, of]) => {
    if (field?.constant?.value !== 'epoch') throw new Error('the memory PostgreSQL extracts epochs alone');
    if (of?.type === 'interval') return { args: [of], type: 'numeric', call: ([span]) => (span as Interval).totalMs / 1000 };
    return { args: of === undefined ? [] : [of], type: 'numeric', call: ([time]) => (time as Date).getTime() / 1000 };
  }),
  date_trunc: fixed({
    takes: ['text', 'timestamptz'],
    gives: 'timestamptz',
    call: ([unit, time]) => truncated(unit as string, time as Date),
  }),
  // The one zone that is known is UTC: as a time of no zone a time stays what it is.
  timezone: fixed({
    takes: ['text', 'timestamptz'],
    gives: 'timestamptz',
    call: ([zone, time]) => {
      if (zone !== 'UTC') throw new Error(`the memory PostgreSQL does not know the time zone ${zone as string}`);
      return time;
    },
  }),
  jsonb_strip_nulls: fixed({ takes: ['jsonb'], gives: 'jsonb', call: ([json]) => Json.of(withoutNulls((json as Json).value)) }),
  to_char: fixed({
    takes: ['timestamptz', 'text'],
    gives: 'text',
    call: ([time, format]) => {
      if (format !== 'YYYY-MM-DD') throw new Error(`the memory PostgreSQL does not write times as ${format as string}`);
      return (time as Date).toISOString().slice(0, 10);
    },
  }),
  floor: rounding(Math.floor),
  ceil: rounding(Math.ceil),
  ceiling: rounding(Math.ceil),
  round: shaped(([value, digits]) => {
    if (value === undefined) throw new Error('round of nothing');
    if (digits !== undefined)
      return {
        args: [coerced(value, 'numeric'), digits],
        type: 'numeric',
        call: ([n, d]) => roundedTo(n as number, d as number),
      };
    const type = value.type === 'numeric' ? 'numeric' : 'float8';
    return { args: [coerced(value, type)], type, call: ([n]) => roundedFrom(type, n as number) };
  }),
  abs: shaped(([value]) => numeric(value, n => Math.abs(n))),
  div: fixed({
    takes: ['numeric', 'numeric'],
    gives: 'numeric',
    call: ([a, b]) => {
      if (b === 0) throw new SqlError('22012', 'division by zero');
      return Math.trunc(exact((a as number) / (b as number)));
    },
  }),
  left: fixed({
    takes: ['text', 'int4'],
    gives: 'text',
    call: ([a, n]) =>
      Array.from(a as string)
        .slice(0, n as number)
        .join(''),
  }),
  right: fixed({ takes: ['text', 'int4'], gives: 'text', call: ([a, n]) => rightOf(Array.from(a as string), n as number) }),
  substring: shaped(([a, from, count]) => {
    if (a === undefined || from === undefined || !isInteger(from.type))
      throw new Error('the memory PostgreSQL knows substring by numbers alone');
    return { args: count === undefined ? [a, from] : [a, from, count], type: 'text', call: args => partOf(args) };
  }),
  strpos: fixed({ takes: ['text', 'text'], gives: 'int4', call: ([a, b]) => (a as string).indexOf(b as string) + 1 }),
  reverse: text(a => Array.from(a).reverse().join('')),
  lower: text(a => a.toLowerCase()),
  upper: text(a => a.toUpperCase()),
  replace: text((a, from, to) => a.replaceAll(from, () => to), ['text', 'text', 'text']),
  char_length: text(a => Array.from(a).length, ['text'], 'int4'),
  length: shaped(([of]) => {
    if (of?.type === 'bytea') return { args: [of], type: 'int4', call: ([bytes]) => (bytes as Buffer).length };
    return { args: of === undefined ? [] : [coerced(of, 'text')], type: 'int4', call: ([a]) => Array.from(a as string).length };
  }),
  cardinality: shaped(args => ({ args, type: 'int4', call: ([array]) => (array as Value[]).length })),
  array_position: shaped(
    ([array, value]) => {
      if (array === undefined || value === undefined || !isArray(array.type)) throw new Error('array_position needs an array');
      return {
        args: [array, coerced(value, elementOf(array.type))],
        type: 'int4',
        call: ([all, one]) => positionOf(all as Value[] | null, one),
      };
    },
    { takesNull: true },
  ),
  array_to_string: shaped(([array, by]) => ({
    args: array === undefined || by === undefined ? [] : [array, coerced(by, 'text')],
    type: 'text',
    call: ([all, separator]) =>
      (all as Value[])
        .filter(each => each !== null)
        .map(writeText)
        .join(separator as string),
  })),
  string_to_array: fixed({
    takes: ['text', 'text'],
    gives: 'text[]',
    call: ([a, by]) => (a === '' ? [] : (a as string).split(by as string)),
  }),
  jsonb_build_object: {
    takesNull: true,
    shape: args => ({ args: args.map(settled), type: 'jsonb', call: values => objectOf(values) }),
  },
  json_build_object: {
    takesNull: true,
    shape: args => ({ args: args.map(settled), type: 'json', call: values => objectOf(values) }),
  },
  jsonb_typeof: fixed({ takes: ['jsonb'], gives: 'text', call: ([json]) => kindOf((json as Json).value) }),
  jsonb_array_length: fixed({ takes: ['jsonb'], gives: 'int4', call: ([json]) => lengthOf((json as Json).value) }),
  to_jsonb: shaped(args => ({ args, type: 'jsonb', call: ([value]) => Json.of(jsonOf(value)) })),
};

function lengthOf(value: unknown): number {
  if (Array.isArray(value)) return value.length;
  throw new SqlError(
    '22023',
    `cannot get array length of ${typeof value === 'object' && value !== null ? 'a non-array' : 'a scalar'}`,
  );
}

function numeric(value: Expr | undefined, call: (n: number) => number): Shaped {
  if (value === undefined || !isNumber(value.type)) throw new Error(`a number is needed, and not ${value?.type}`);
  return { args: [value], type: value.type, call: ([n]) => call(n as number) };
}

function rounding(round: (n: number) => number): Scalar {
  return shaped(([value]) => {
    const type = value?.type === 'numeric' ? 'numeric' : 'float8';
    const arg = value === undefined ? [] : [coerced(value, type)];
    return { args: arg, type, call: ([n]) => round(type === 'numeric' ? exact(n as number) : (n as number)) };
  });
}

function roundedTo(value: number, digits: number): number {
  const factor = 10 ** digits;
  return exact(roundedFrom('numeric', exact(value * factor)) / factor);
}

function truncated(unit: string, time: Date): Date {
  const ms = { milliseconds: 1, second: 1000, minute: 60_000, hour: 3_600_000, day: 86_400_000 }[unit];
  if (ms === undefined) throw new Error(`the memory PostgreSQL does not truncate to ${unit}`);
  return new Date(Math.floor(time.getTime() / ms) * ms);
}

/** A count below zero leaves so many out. */
const rightOf = (letters: string[], count: number) =>
  letters.slice(count < 0 ? -count : Math.max(0, letters.length - count)).join('');

function partOf([all, from, count]: readonly Value[]): string {
  const letters = Array.from(all as string);
  const begin = (from as number) - 1;
  const end = count === undefined ? letters.length : begin + (count as number);
  return letters.slice(Math.max(0, begin), Math.max(0, end)).join('');
}

function positionOf(array: Value[] | null, value: Value): number | null {
  const at = array?.findIndex(each => same(each, value)) ?? -1;
  return at < 0 ? null : at + 1;
}

function objectOf(values: readonly Value[]): Json {
  const out: Record<string, unknown> = {};
  for (let i = 0; i + 1 < values.length; i += 2) {
    if (values[i] === null) throw new SqlError('22023', 'argument list must not have a null key');
    out[writeText(values[i])] = jsonOf(values[i + 1]);
  }
  return Json.of(out);
}

/** A value as JSON. */
export function jsonOf(value: Value): unknown {
  if (value instanceof Json) return value.value;
  if (Array.isArray(value)) return value.map(jsonOf);
  if (value instanceof Date) return value.toISOString().replace(/\.?0*Z$/, '+00:00');
  if (value === null || typeof value === 'number' || typeof value === 'boolean') return value;
  return writeText(value);
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : typeof value;
}

/** Fields of objects alone: a null in a list stays. */
function withoutNulls(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(withoutNulls);
  const left = Object.entries(value).filter(([, each]) => each !== null);
  return Object.fromEntries(left.map(([key, each]) => [key, withoutNulls(each)]));
}
