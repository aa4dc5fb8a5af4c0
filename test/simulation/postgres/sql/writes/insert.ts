import type { Node } from '@libpg-query/parser';
import type { Table, Tuple, UniqueIndex } from '../../storage/types.ts';
import { SqlError } from '../../types.ts';
import { castBetween } from '../../values/cast.ts';
import type { Type } from '../../values/types.ts';
import { coerced, type Eval } from '../expr.ts';
import { tableName } from '../query/from.ts';
import { scopeWith } from '../query/with.ts';
import type { Run, Values } from '../run.ts';
import { type Item, type Query, Scope } from '../scope.ts';
import { as, type Body, must, unsupported } from '../tree.ts';
import { assignments, columnsOf, compileReturning, defaultOf, fire, triggersOf } from './target.ts';

type Insert = Body<'InsertStmt'>;

export function compileInsert(stmt: Insert, outer: Scope): Omit<Query, 'exists'> {
  const { relation } = stmt;
  if (relation === undefined) throw unsupported('an insert into nothing');
  const around = scopeWith(stmt.withClause, outer);
  const table = around.compilation.compiler.catalog.table(tableName(relation));
  around.compilation.written.add(table.name);
  const rowsOf = newRows(stmt, table, around);
  const scope = new Scope(around.compilation, around);
  const item = scope.add(relation.alias?.aliasname ?? relation.relname ?? '', columnsOf(table));
  const conflict = stmt.onConflictClause && conflictOf(stmt.onConflictClause, { table, scope, item });
  const returning = compileReturning(stmt.returningList, scope);
  const triggers = triggersOf(table, scope, { event: 'insert' });
  return {
    columns: returning.columns,
    rows: x => {
      const out: Values[] = [];
      let count = 0;
      for (const values of rowsOf(x)) {
        const rival = conflict && x.world.tx.conflicting(table.name, values, conflict.index);
        let written: Values | undefined = values;
        if (rival === undefined) {
          const tuple = x.world.tx.insert(table.name, values);
          x.noteWrite(tuple, undefined);
          fire(triggers, x, { tuple, after: values });
        } else {
          written = conflict?.resolve?.(x, rival, values);
        }
        if (written === undefined) continue;
        count++;
        x.rows[item.slot] = written;
        if (returning.project !== undefined) out.push(returning.project(x));
      }
      x.affected = count;
      return out;
    },
  };
}

/** The rows as they are to be, with what nobody says filled in; all of them, before the first is written. */
function newRows({ cols, selectStmt }: Insert, table: Table, around: Scope): (x: Run) => readonly Values[] {
  const columns = columnsOf(table);
  const select = as(selectStmt, 'SelectStmt');
  const named = cols?.map(node => table.position(must(node, 'ResTarget').name ?? '')) ?? columns.map((_, i) => i);
  const query = select && around.query(select, { types: named.map(position => columns[position]?.type ?? 'text') });
  const given = query === undefined ? [] : named.slice(0, query.columns.length);
  if (query !== undefined && query.columns.length > named.length)
    throw new SqlError('42601', 'INSERT has more expressions than target columns');
  const casts = given.map((position, i) => castBetween(query?.columns[i]?.type ?? 'text', columns[position]?.type as Type));
  const others = columns.flatMap((_, i) => (given.includes(i) ? [] : [{ position: i, evaluate: defaultOf(table, i, around) }]));
  const blank: unknown[] = columns.map(() => null);
  const fill = (x: Run, row: Values): Values => {
    const values = blank.slice();
    for (let i = 0; i < given.length; i++) {
      const value = row[i];
      values[given[i] ?? 0] = value === null ? null : (casts[i]?.(value) ?? value);
    }
    for (const { position, evaluate } of others) values[position] = evaluate(x);
    return values;
  };
  return x => (query === undefined ? [fill(x, [])] : query.rows(x).map(row => fill(x, row)));
}

interface Conflict {
  /** Where none is named, each of the table counts. */
  readonly index: UniqueIndex | undefined;
  /** Undefined: nothing is done. The row as it is then; undefined where it stays as it was. */
  readonly resolve: ((x: Run, rival: Tuple, values: Values) => Values | undefined) | undefined;
}

interface Place {
  readonly table: Table;
  readonly scope: Scope;
  readonly item: Item;
}

function conflictOf({ action, infer, targetList, whereClause }: Body<'OnConflictClause'>, place: Place): Conflict {
  const index = infer && inferred(infer, place.table);
  if (action === 'ONCONFLICT_NOTHING') return { index, resolve: undefined };
  if (action !== 'ONCONFLICT_UPDATE' || index === undefined) throw unsupported(`${action} without columns`);
  return { index, resolve: updating(targetList ?? [], whereClause, place) };
}

function inferred({ indexElems = [], whereClause, conname }: Body<'InferClause'>, table: Table): UniqueIndex {
  if (whereClause !== undefined || conname !== undefined) throw unsupported('this ON CONFLICT');
  const names = indexElems.map(node => must(node, 'IndexElem').name ?? '');
  const found = table.uniques.find(
    ({ columns, where }) =>
      where === undefined && columns.length === names.length && columns.every(column => names.includes(column)),
  );
  if (found === undefined)
    throw new SqlError('42P10', 'there is no unique or exclusion constraint matching the ON CONFLICT specification');
  return found;
}

function updating(sets: readonly Node[], where: Node | undefined, { table, scope, item }: Place) {
  const inner = new Scope(scope.compilation, scope);
  const excluded = inner.add('excluded', item.columns, true);
  const assign = assignments(sets, table, inner);
  const filter: Eval | undefined = where && coerced(inner.compile(where), 'bool').eval;
  const names = sets.map(node => must(node, 'ResTarget').name ?? '');
  const triggers = triggersOf(table, scope, { event: 'update', set: names });
  return (x: Run, tuple: Tuple, values: Values): Values | undefined => {
    if (x.hasWritten(tuple)) {
      throw new SqlError('21000', 'ON CONFLICT DO UPDATE command cannot affect row a second time');
    }
    x.world.tx.lock(tuple, 'no key update');
    const before = x.world.tx.read(tuple);
    if (before === undefined) throw new Error('the row in the way is not there');
    x.rows[item.slot] = before;
    x.rows[excluded.slot] = values;
    if (filter !== undefined && filter(x) !== true) return undefined;
    const after = assign(x, before);
    x.noteWrite(tuple, before);
    x.world.tx.update(tuple, after);
    fire(triggers, x, { tuple, before, after });
    return after;
  };
}
