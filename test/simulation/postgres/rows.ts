import type { ColumnInfo } from './sql/expr.ts';
import type { Values } from './sql/run.ts';
import type { Value } from './storage/types.ts';
import type { Row } from './types.ts';
import { copied, type Json } from './values/json.ts';
import { writeText } from './values/text.ts';
import { isArray, type Type } from './values/types.ts';

const makers = new WeakMap<readonly ColumnInfo[], (values: Values) => Row>();

/** A row as the driver hands it over: it belongs to whoever asked for it. */
export function rowMaker(columns: readonly ColumnInfo[]): (values: Values) => Row {
  const known = makers.get(columns);
  if (known !== undefined) return known;
  const names = columns.map(column => column.name);
  const converts = columns.map(column => conversion(column.type));
  // Made of one that has all its names already: much cheaper than to add each.
  const blank: Row = Object.fromEntries(names.map(name => [name, null]));
  const make = (values: Values): Row => {
    const row: Row = { ...blank };
    for (let i = 0; i < names.length; i++) {
      const value = values[i] ?? null;
      const convert = converts[i];
      row[names[i] ?? ''] = value === null || convert === undefined ? value : convert(value);
    }
    return row;
  };
  makers.set(columns, make);
  return make;
}

function conversion(type: Type): ((value: Value) => unknown) | undefined {
  if (type === 'jsonb' || type === 'json') return value => copied((value as Json).value);
  if (type === 'timestamptz') return value => new Date(value as Date);
  // The driver does not make numbers of what might not fit.
  if (type === 'numeric') return String;
  if (type === 'record' || type === 'interval') return writeText;
  if (isArray(type)) {
    const element = conversion(type.slice(0, -2));
    return value => (value as Value[]).map(each => (each === null || element === undefined ? each : element(each)));
  }
  return undefined;
}
