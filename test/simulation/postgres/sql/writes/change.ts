import type { Node, RangeVar } from '@libpg-query/parser';
import type { Tuple } from '../../storage/types.ts';
import { compileConditions, compileFrom, tableName } from '../query/from.ts';
import { planJoin } from '../query/join.ts';
import { scopeWith } from '../query/with.ts';
import type { Run, Values } from '../run.ts';
import { type Query, Scope } from '../scope.ts';
import { type Body, must, unsupported } from '../tree.ts';
import { assignments, compileReturning, fire, triggersOf, type Written } from './target.ts';

interface Change {
  readonly relation?: RangeVar;
  readonly whereClause?: Node;
  readonly returningList?: Node[];
  readonly withClause?: Body<'WithClause'>;
  readonly beside: Node[] | undefined;
}

interface Found extends Written {
  /** Where the relations stood: RETURNING may speak of them. */
  readonly rows: readonly Values[];
}

/**
 * UPDATE, or DELETE where `sets` is undefined. A row that several rows beside it match, or that another part of the statement has
 * written, is written once.
 */
export function compileChange(stmt: Change, sets: readonly Node[] | undefined, outer: Scope): Omit<Query, 'exists'> {
  const { relation, whereClause, beside = [] } = stmt;
  if (relation === undefined) throw unsupported('a change of no table');
  const around = scopeWith(stmt.withClause, outer);
  const table = around.compilation.compiler.catalog.table(tableName(relation));
  around.compilation.written.add(table.name);
  const scope = new Scope(around.compilation, around);
  const { sources, conditions } = compileFrom([{ RangeVar: relation }, ...beside], scope);
  const walk = planJoin({ sources, conditions: [...conditions, ...compileConditions(whereClause, scope)] });
  const assign = sets && assignments(sets, table, scope);
  const returning = compileReturning(stmt.returningList, scope);
  const names = (sets ?? []).map(node => must(node, 'ResTarget').name ?? '');
  const triggers = triggersOf(table, scope, { event: sets === undefined ? 'delete' : 'update', set: names });
  const slots = scope.items.map(item => item.slot);
  const target = slots[0] ?? 0;
  const isAlone = sources.length === 1;

  const find = (x: Run): Found[] => {
    const found: Found[] = [];
    const seen = isAlone ? undefined : new Set<Tuple>();
    walk(x, () => {
      const tuple = x.tuples[target];
      if (tuple === undefined || x.hasWritten(tuple) || seen?.has(tuple) === true) return false;
      seen?.add(tuple);
      const before = x.rows[target] as Values;
      const rows = isAlone ? [] : slots.map(slot => x.rows[slot] as Values);
      found.push({ tuple, before, rows, ...(assign && { after: assign(x, before) }) });
      return false;
    });
    return found;
  };

  const restore = (x: Run, { rows, after, before }: Found) => {
    for (let i = 1; i < rows.length; i++) x.rows[slots[i] ?? 0] = rows[i] ?? [];
    x.rows[target] = after ?? before ?? [];
  };

  return {
    columns: returning.columns,
    rows: x => {
      const out: Values[] = [];
      const found = find(x);
      for (const each of found) {
        x.noteWrite(each.tuple, each.before);
        if (each.after === undefined) x.world.tx.remove(each.tuple);
        else x.world.tx.update(each.tuple, each.after);
        fire(triggers, x, each);
        if (returning.project === undefined) continue;
        restore(x, each);
        out.push(returning.project(x));
      }
      x.affected = found.length;
      return out;
    },
  };
}
