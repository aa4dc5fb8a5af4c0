import type { Value } from '../storage/types.ts';
import { exact } from '../values/cast.ts';
import { keyOf, orderOf } from '../values/compare.ts';
import { Json } from '../values/json.ts';
import { isInteger, type Type } from '../values/types.ts';
import { jsonOf } from './values.ts';

/** What an aggregate is, for arguments of these types. */
interface Aggregate {
  readonly type: Type;
  begin(): Sum;
}

/** Over the rows of one group. */
interface Sum {
  add(values: readonly Value[]): void;
  result(): Value;
}

type Make = (types: readonly Type[]) => Aggregate;

export const aggregates: Readonly<Record<string, Make>> = {
  count: () => fold('int8', 0, count => (count as number) + 1),
  sum: ([type = 'numeric']) => {
    const gives = isInteger(type) ? (type === 'int8' ? 'numeric' : 'int8') : type;
    return fold(gives, null, (sum, [value]) => exact(((sum as number | null) ?? 0) + (value as number)));
  },
  avg: ([type = 'numeric']) => ({
    type: type === 'float8' ? 'float8' : 'numeric',
    begin: () => {
      let [sum, count] = [0, 0];
      return {
        add: ([value]) => {
          sum += value as number;
          count++;
        },
        result: () => (count === 0 ? null : exact(sum / count)),
      };
    },
  }),
  min: ([type = 'text']) => extreme(type, 1),
  max: ([type = 'text']) => extreme(type, -1),
  bool_or: () => fold('bool', null, (so, [value]) => so === true || value === true),
  bool_and: () => fold('bool', null, (so, [value]) => so !== false && value === true),
  every: () => fold('bool', null, (so, [value]) => so !== false && value === true),
  array_agg: ([type = 'text']) => gathered(`${type}[]`, rows => rows.map(([value]) => value)),
  string_agg: () =>
    gathered('text', rows => rows.map(([value, by], i) => (i === 0 ? '' : (by as string)) + (value as string)).join('')),
  jsonb_agg: () => gathered('jsonb', rows => Json.of(rows.map(([value]) => jsonOf(value)))),
  jsonb_object_agg: () =>
    gathered('jsonb', rows => Json.of(Object.fromEntries(rows.map(([key, value]) => [key as string, jsonOf(value)])))),
  /** Of values in an order; the first of those that are most often there. */
  mode: ([type = 'text']) =>
    gathered(type, rows => {
      const counts = new Map<string, number>();
      let best: Value = null;
      for (const [value] of rows) counts.set(keyOf(value), (counts.get(keyOf(value)) ?? 0) + 1);
      const most = Math.max(...counts.values());
      best = rows.find(([value]) => counts.get(keyOf(value)) === most)?.[0] ?? null;
      return best;
    }),
};

/** They take what is null too. */
export const takingNulls = new Set(['array_agg', 'jsonb_agg', 'jsonb_object_agg']);

function fold(type: Type, first: Value, step: (so: Value, values: readonly Value[]) => Value): Aggregate {
  return {
    type,
    begin: () => {
      let so = first;
      return {
        add: values => {
          so = step(so, values);
        },
        result: () => so,
      };
    },
  };
}

function extreme(type: Type, sign: number): Aggregate {
  const order = orderOf(type);
  return fold(type, null, (best, [value]) => (best === null || sign * order(value, best) < 0 ? value : best));
}

function gathered(type: Type, make: (rows: readonly (readonly Value[])[]) => Value): Aggregate {
  return {
    type,
    begin: () => {
      const rows: (readonly Value[])[] = [];
      return { add: values => void rows.push(values), result: () => (rows.length === 0 ? null : make(rows)) };
    },
  };
}
