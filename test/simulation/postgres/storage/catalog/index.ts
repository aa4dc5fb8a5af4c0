import { SqlError } from '../../types.ts';
import type { Catalog, StoredFunction, Trigger } from '../types.ts';
import { readColumn } from './column.ts';
import { schemaStatements } from './source.ts';
import { StoredTable } from './table.ts';
import { child, list, names, number, text } from './tree.ts';

export interface StoredCatalog extends Catalog {
  table(name: string): StoredTable;
  readonly tables: readonly StoredTable[];
  readonly sequences: readonly string[];
}

let read: StoredCatalog | undefined;

/** What src/db/schema.sql says; read once a process, since it holds no row. */
export function schemaCatalog(): StoredCatalog {
  read ??= readCatalog();
  return read;
}

function readCatalog(): StoredCatalog {
  const tables = new Map<string, StoredTable>();
  const functions = new Map<string, StoredFunction>();
  const sequences: string[] = [];
  const table = (name: string): StoredTable => {
    const found = tables.get(name.replace(/^skep[.]/, ''));
    if (found === undefined) throw new SqlError('42P01', `relation "${name}" does not exist`);
    return found;
  };
  const statements = schemaStatements();
  for (const { tree, text: source } of statements) {
    const created = child(tree, 'CreateStmt');
    if (created !== undefined) addTable(created, tables, sequences);
    const called = child(tree, 'CreateFunctionStmt');
    if (called !== undefined) addFunction(called, source, functions);
    const sequence = child(tree, 'CreateSeqStmt');
    if (sequence !== undefined) sequences.push(text(sequence, 'sequence', 'relname'));
  }
  for (const { tree } of statements) {
    const created = child(tree, 'CreateStmt');
    if (created !== undefined) addForeignKeys(created, table);
    const index = child(tree, 'IndexStmt');
    if (index !== undefined) addIndex(index, table(relation(index, 'relation')));
    const trigger = child(tree, 'CreateTrigStmt');
    if (trigger !== undefined) table(relation(trigger, 'relation')).triggers.push(readTrigger(trigger));
  }
  return { table, function: name => functions.get(name), tables: [...tables.values()], sequences };
}

/** Those of `skep` by their bare name. */
function relation(tree: unknown, field: string): string {
  const schema = text(tree, field, 'schemaname');
  const name = text(tree, field, 'relname');
  return schema === '' || schema === 'skep' ? name : `${schema}.${name}`;
}

function addTable(tree: unknown, tables: Map<string, StoredTable>, sequences: string[]): void {
  const name = relation(tree, 'relation');
  const elements = list(tree, 'tableElts');
  const columns = elements.flatMap(entry => {
    const column = child(entry, 'ColumnDef');
    return column === undefined ? [] : [readColumn(name, column)];
  });
  const table = new StoredTable(name, columns);
  for (const { sequence } of columns) if (sequence !== undefined) sequences.push(sequence);
  for (const entry of elements) {
    const constraint = child(entry, 'Constraint');
    if (constraint !== undefined) addConstraint(constraint, table);
  }
  tables.set(name, table);
}

function addConstraint(tree: unknown, table: StoredTable): void {
  const kind = text(tree, 'contype');
  const name = text(tree, 'conname');
  if (kind === 'CONSTR_CHECK') {
    const expression = child(tree, 'raw_expr');
    table.checks.push({ name, expression, positions: table.positionsIn(expression) });
  } else if (kind === 'CONSTR_PRIMARY' || kind === 'CONSTR_UNIQUE') {
    const nullsAreDistinct = child(tree, 'nulls_not_distinct') !== true;
    table.addUnique({ name, columns: names(tree, 'keys'), where: undefined, nullsAreDistinct });
  } else if (kind !== 'CONSTR_FOREIGN') {
    throw new Error(`The storage knows no ${kind} (${name} of ${table.name})`);
  }
}

function addForeignKeys(created: unknown, table: (name: string) => StoredTable): void {
  const childTable = table(relation(created, 'relation'));
  for (const entry of list(created, 'tableElts')) {
    const tree = child(entry, 'Constraint');
    if (text(tree, 'contype') !== 'CONSTR_FOREIGN') continue;
    const action = text(tree, 'fk_del_action');
    if (!['a', 'c'].includes(action) || text(tree, 'fk_upd_action') !== 'a' || text(tree, 'fk_matchtype') !== 's')
      throw new Error(`The storage knows no such foreign key as ${text(tree, 'conname')} of ${childTable.name}`);
    const childColumns = names(tree, 'fk_attrs');
    const parent = table(relation(tree, 'pktable'));
    const key = {
      name: text(tree, 'conname'),
      child: childTable,
      childColumns,
      childPositions: childTable.positions(childColumns),
      parentTable: parent.name,
      parentColumns: names(tree, 'pk_attrs'),
      isCascade: action === 'c',
    };
    childTable.parents.push(key);
    parent.children.push(key);
    if (childColumns.length > 1) childTable.addLookup(childColumns);
  }
}

function addIndex(tree: unknown, table: StoredTable): void {
  const columns = list(tree, 'indexParams').map(entry => text(entry, 'IndexElem', 'name'));
  if (child(tree, 'unique') !== true) {
    addLookup(columns, table);
    return;
  }
  table.addUnique({
    name: text(tree, 'idxname'),
    columns,
    where: child(tree, 'whereClause'),
    nullsAreDistinct: child(tree, 'nulls_not_distinct') !== true,
  });
}

/** An index that is in an order serves by the columns before it: those of which a statement gives one value each. */
function addLookup(columns: readonly string[], table: StoredTable): void {
  const isPlain = (column: string) =>
    column !== '' && ['uuid', 'text'].includes(table.columns[table.position(column)]?.type ?? '');
  const end = columns.findIndex(column => !isPlain(column));
  const leading = end < 0 ? columns : columns.slice(0, end);
  if (leading.length > 1) table.addLookup(leading);
}

const triggerInsert = 4;
const triggerDelete = 8;
const triggerUpdate = 16;
const triggerBefore = 2;

function readTrigger(tree: unknown): Trigger {
  const bits = number(tree, 'events');
  const name = text(tree, 'trigname');
  if (child(tree, 'row') !== true) throw new Error(`The storage knows triggers for each row alone, not ${name}`);
  return {
    name,
    timing: number(tree, 'timing') === triggerBefore ? 'before' : 'after',
    events: [
      ...((bits & triggerInsert) === 0 ? [] : (['insert'] as const)),
      ...((bits & triggerUpdate) === 0 ? [] : (['update'] as const)),
      ...((bits & triggerDelete) === 0 ? [] : (['delete'] as const)),
    ],
    columns: names(tree, 'columns'),
    when: child(tree, 'whenClause'),
    function: names(tree, 'funcname').at(-1) ?? '',
  };
}

function addFunction(tree: unknown, source: string, functions: Map<string, StoredFunction>): void {
  if (child(tree, 'is_procedure') === true) return;
  const name = names(tree, 'funcname').at(-1) ?? '';
  const option = list(tree, 'options').find(entry => text(entry, 'DefElem', 'defname') === 'language');
  const language = text(option, 'DefElem', 'arg', 'String', 'sval');
  if (language !== 'sql' && language !== 'plpgsql') throw new Error(`The function ${name} is in ${language}`);
  functions.set(name, { name, language, text: source });
}
