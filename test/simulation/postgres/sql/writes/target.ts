import type { Node } from '@libpg-query/parser';
import type { Table, Tuple } from '../../storage/types.ts';
import { typeNamed } from '../../values/types.ts';
import { coerced, type ColumnInfo, type Eval } from '../expr.ts';
import { compileTargets, projection } from '../query/targets.ts';
import type { Run, Values } from '../run.ts';
import type { Fire, Scope } from '../scope.ts';
import { must, unsupported } from '../tree.ts';

export const columnsOf = (table: Table): ColumnInfo[] => table.columns.map(({ name, type }) => ({ name, type: typeNamed(type) }));

/** What SET says, as the row that comes of the one that stands in `slot`. */
export function assignments(nodes: readonly Node[], table: Table, scope: Scope): (x: Run, before: Values) => Values {
  const columns = columnsOf(table);
  const sets = nodes.map(node => {
    const { name = '', val } = must(node, 'ResTarget');
    const position = table.position(name);
    if (val === undefined) throw unsupported('SET without a value');
    return { position, evaluate: coerced(scope.compile(val), columns[position]?.type ?? 'text').eval };
  });
  return (x, before) => {
    const after = before.slice();
    for (const { position, evaluate } of sets) after[position] = evaluate(x);
    return after;
  };
}

interface Returning {
  readonly columns: readonly ColumnInfo[];
  /** Undefined where nothing is returned. */
  readonly project: ((x: Run) => Values) | undefined;
}

export function compileReturning(nodes: readonly Node[] | undefined, scope: Scope): Returning {
  if (nodes === undefined) return { columns: [], project: undefined };
  const targets = compileTargets(nodes, scope);
  return { columns: targets.map(({ name, type }) => ({ name, type })), project: projection(targets) };
}

type Event = 'insert' | 'update' | 'delete';

/** The triggers of a table that an event fires; of `update of` columns those alone that are set. */
export function triggersOf(
  table: Table,
  scope: Scope,
  { event, set = [] }: { event: Event; set?: readonly string[] },
): readonly Fire[] {
  return table.triggers
    .filter(
      ({ events, columns }) => events.includes(event) && (columns.length === 0 || columns.some(column => set.includes(column))),
    )
    .map(trigger => {
      if (trigger.timing === 'before') throw unsupported(`the trigger ${trigger.name}, which fires before`);
      return scope.compilation.compiler.trigger(trigger, table);
    });
}

export interface Written {
  readonly tuple: Tuple;
  readonly before?: Values;
  readonly after?: Values;
}

export function fire(triggers: readonly Fire[], x: Run, { before, after }: Written): void {
  for (const trigger of triggers) {
    const act = trigger(x.world, { ...(before && { before }), ...(after && { after }) });
    if (act !== undefined) x.later(act);
  }
}

/** What a column is where nobody says it. */
export function defaultOf(table: Table, position: number, scope: Scope): Eval {
  const column = table.columns[position];
  if (column?.default === undefined) return () => null;
  return coerced(scope.compile(column.default as Node), typeNamed(column.type)).eval;
}
