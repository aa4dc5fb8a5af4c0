import { parse } from '../../postgres/storage/catalog/source.ts';
import { child, list, number, text } from '../../postgres/storage/catalog/tree.ts';
import { readColumn } from '../../postgres/storage/catalog/column.ts';
import type { Column } from '../../postgres/storage/types.ts';
import type { Dice } from '../../world/dice.ts';

/** Values that stand somewhere in the database, by the name of their column, and by those of their table and column. */
export type Stock = ReadonlyMap<string, readonly unknown[]>;

/** Number of a parameter → the column that it is compared with or written to, as far as the text shows it. */
export function columnsOfParameters(sql: string): ReadonlyMap<number, string> {
  const found = new Map<number, string>();
  const note = (value: unknown, column: string): void => {
    const parameter = parameterOf(value);
    if (parameter !== undefined && column !== '' && !found.has(parameter)) found.set(parameter, column);
  };
  const walk = (at: unknown): void => {
    if (at === null || typeof at !== 'object') return;
    const [left, right] = [child(at, 'A_Expr', 'lexpr'), child(at, 'A_Expr', 'rexpr')];
    note(right, columnOf(left));
    note(left, columnOf(right));
    note(child(at, 'ResTarget', 'val'), text(at, 'ResTarget', 'name'));
    const insert = child(at, 'InsertStmt');
    if (insert !== undefined) noteInsert(insert, note);
    for (const under of Object.values(at)) walk(under);
  };
  for (const { tree } of parse(sql)) walk(tree);
  return found;
}

function noteInsert(insert: unknown, note: (value: unknown, column: string) => void): void {
  const table = text(insert, 'relation', 'relname');
  const columns = list(insert, 'cols').map(entry => `${table}.${text(entry, 'ResTarget', 'name')}`);
  const select = child(insert, 'selectStmt', 'SelectStmt');
  const lists = list(select, 'valuesLists').map(entry => list(entry, 'List', 'items'));
  const targets = list(select, 'targetList').map(entry => child(entry, 'ResTarget', 'val'));
  for (const values of [...lists, targets]) for (const [i, value] of values.entries()) note(value, columns[i] ?? '');
}

function columnOf(tree: unknown): string {
  return text(list(tree, 'ColumnRef', 'fields').at(-1), 'String', 'sval');
}

function parameterOf(tree: unknown): number | undefined {
  const inner = child(tree, 'TypeCast', 'arg') ?? tree;
  return child(inner, 'ParamRef') === undefined ? undefined : number(inner, 'ParamRef', 'number');
}

interface Wanted {
  readonly type: string;
  readonly column: string | undefined;
  readonly records?: readonly Field[] | undefined;
}

/** Number of a parameter → names and types of the records that it is a list of. */
export function recordsOfParameters(sql: string): ReadonlyMap<number, readonly Field[]> {
  const found = new Map<number, readonly Field[]>();
  const walk = (at: unknown): void => {
    if (at === null || typeof at !== 'object') return;
    const call = child(list(list(child(at, 'RangeFunction', 'functions'))[0], 'List', 'items')[0], 'FuncCall');
    const parameter = parameterOf(list(call, 'args')[0]);
    const fields = list(at, 'RangeFunction', 'coldeflist').map(entry => readColumn('', child(entry, 'ColumnDef')));
    if (parameter !== undefined && fields.length > 0) found.set(parameter, fields);
    for (const under of Object.values(at)) walk(under);
  };
  for (const { tree } of parse(sql)) walk(tree);
  return found;
}

type Field = Pick<Column, 'name' | 'type'>;

/** A value that a statement may make something of. */
export function guess(wanted: Wanted, stock: Stock, dice: Dice): unknown {
  const { type, column, records } = wanted;
  if (records !== undefined)
    return JSON.stringify(Array.from({ length: dice.between(0, 2) }, () => record(records, stock, dice)));
  if (dice.chance(0.03)) return null;
  if (type.endsWith('[]')) {
    const element = { type: type.slice(0, -2), column };
    if (column !== undefined && isArrayColumn(stock, column)) return dice.pick(stock.get(column) ?? [[]]);
    return Array.from({ length: dice.between(0, 3) }, () => guess(element, stock, dice)).filter(value => value !== null);
  }
  const known = (column === undefined ? undefined : stock.get(column))?.filter(value => fits(type, value));
  const value = known !== undefined && known.length > 0 && dice.chance(0.85) ? dice.pick(known) : anything(type, stock, dice);
  return type === 'json' || type === 'jsonb' ? JSON.stringify(value) : value;
}

function record(fields: readonly Field[], stock: Stock, dice: Dice): Record<string, unknown> {
  const values = fields.map(({ name, type }): [string, unknown] => {
    const value = guess({ type, column: name.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`) }, stock, dice);
    return [name, type === 'json' || type === 'jsonb' ? JSON.parse(String(value)) : value];
  });
  return Object.fromEntries(values);
}

function isArrayColumn(stock: Stock, column: string): boolean {
  return (stock.get(column) ?? []).some(value => Array.isArray(value));
}

function fits(type: string, value: unknown): boolean {
  if (type === 'uuid') return typeof value === 'string' && /^[0-9a-f-]{36}$/.test(value);
  if (type === 'text') return typeof value === 'string';
  if (type === 'boolean') return typeof value === 'boolean';
  if (type === 'timestamp with time zone') return value instanceof Date;
  if (type === 'bytea') return Buffer.isBuffer(value);
  if (type === 'json' || type === 'jsonb')
    return typeof value === 'object' && !(value instanceof Date) && !Buffer.isBuffer(value);
  return typeof value === 'number';
}

function anything(type: string, stock: Stock, dice: Dice): unknown {
  if (type === 'uuid') return dice.pick((stock.get('id') ?? []).filter(value => fits(type, value)));
  if (type === 'text') return dice.pick(['w0', 'again', 'TKT-004', 'ticket', 'a/b', '', 'Ärger', `new ${dice.between(0, 999)}`]);
  if (type === 'boolean') return dice.chance(0.5);
  if (type === 'timestamp with time zone') return dice.pick((stock.get('created_at') ?? [new Date(0)]) as readonly Date[]);
  if (type === 'bytea') return Buffer.from([dice.between(0, 20)]);
  if (type === 'json' || type === 'jsonb')
    return dice.pick<unknown>([{}, [], { kind: 'exec' }, [{ type: 'run.lost', subject: { type: 'run', id: 'x' } }]]);
  if (type === 'double precision') return dice.pick([0, 0.5, 60]);
  return dice.pick([0, 1, 2, 10, 1_000, 60_000]);
}
