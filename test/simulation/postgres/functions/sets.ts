import type { Value } from '../storage/types.ts';
import { coerced, type ColumnInfo, type Expr } from '../sql/expr.ts';
import type { Run, Values } from '../sql/run.ts';
import { fromJson } from '../values/cast.ts';
import { Json } from '../values/json.ts';
import { elementOf, isArray } from '../values/types.ts';

/** A built-in function that gives rows. */
export interface Rows {
  readonly columns: readonly ColumnInfo[];
  rows(x: Run): readonly Values[];
}

type SetFunction = (args: readonly Expr[], defined: readonly ColumnInfo[]) => Rows;

export const setFunctions: Readonly<Record<string, SetFunction>> = {
  unnest: args => {
    const columns = args.map(arg => {
      if (!isArray(arg.type)) throw new Error(`the memory PostgreSQL unnests no ${arg.type}`);
      return { name: 'unnest', type: elementOf(arg.type) };
    });
    const [only] = args;
    if (only !== undefined && args.length === 1) {
      return { columns, rows: x => ((only.eval(x) as Value[] | null) ?? []).map(each => [each]) };
    }
    return { columns, rows: x => side(args.map(arg => (arg.eval(x) as Value[] | null) ?? [])) };
  },
  generate_series: args => {
    const evals = args.map(arg => coerced(arg, 'int4').eval);
    return {
      columns: [{ name: 'generate_series', type: 'int4' }],
      rows: x => {
        const [from, to, step = 1] = evals.map(evaluate => evaluate(x) as number | null);
        if (from === null || to === null || step === null || from === undefined || to === undefined) return [];
        const count = Math.max(0, Math.floor((to - from) / step) + 1);
        return Array.from({ length: count }, (_, i) => [from + i * step]);
      },
    };
  },
  jsonb_array_elements: args => elements(args, value => Json.of(value), 'jsonb'),
  jsonb_array_elements_text: args =>
    elements(args, value => (value === null ? null : typeof value === 'string' ? value : Json.of(value).toString()), 'text'),
  jsonb_to_recordset: ([arg], defined) => ({
    columns: defined,
    rows: x => {
      const json = arg && (coerced(arg, 'jsonb').eval(x) as Json | null);
      if (!Array.isArray(json?.value)) return [];
      return json.value.map(each => defined.map(({ name, type }) => fromJson(type, (each as Record<string, unknown>)[name])));
    },
  }),
};

function elements([arg]: readonly Expr[], read: (value: unknown) => Value, type: string): Rows {
  const list = arg && coerced(arg, 'jsonb').eval;
  return {
    columns: [{ name: 'value', type }],
    rows: x => {
      const json = list?.(x) as Json | null | undefined;
      return Array.isArray(json?.value) ? json.value.map(each => [read(each)]) : [];
    },
  };
}

/** The shorter ones are filled up with null. */
function side(arrays: readonly (readonly Value[])[]): Values[] {
  const length = Math.max(0, ...arrays.map(array => array.length));
  return Array.from({ length }, (_, i) => arrays.map(array => (i < array.length ? array[i] : null)));
}
