import type { Node } from '@libpg-query/parser';
import { coerced } from '../sql/expr.ts';
import { Run } from '../sql/run.ts';
import { Compilation, type Compiler, type Fire, Scope } from '../sql/scope.ts';
import { columnsOf } from '../sql/writes/target.ts';
import type { StoredFunction, Table, Trigger, Value } from '../storage/types.ts';
import { Frame } from './frame.ts';
import { declarations, parsedBody } from './function.ts';
import { Names } from './names.ts';
import { sequence } from './steps.ts';

/** A trigger that fires for each row after it was written. */
export function compileTrigger(
  trigger: Trigger,
  table: Table,
  { stored, compiler }: { stored: StoredFunction; compiler: Compiler },
): Fire {
  const when = condition(trigger, table, compiler);
  let body: ((frame: Frame) => void) | undefined;
  const parsed = parsedBody(stored.text);
  const [newAt = 0, oldAt = 0] = [parsed.new_varno, parsed.old_varno];
  const compile = () => {
    const names = new Names(parsed, []);
    names.know(newAt, columnsOf(table));
    names.know(oldAt, columnsOf(table));
    const begin = declarations(parsed, names, compiler);
    const act = sequence([parsed.action], { compiler, names, fields: undefined, type: 'trigger' });
    return (frame: Frame) => {
      begin(frame);
      act(frame);
    };
  };
  return (world, { before = null, after = null }) => {
    if (!when(new Run(world), [before, after])) return undefined;
    return () => {
      body ??= compile();
      const variables: Value[] = parsed.datums.map(() => null);
      variables[newAt] = after;
      variables[oldAt] = before;
      body(new Frame(world, variables));
    };
  };
}

function condition(trigger: Trigger, table: Table, compiler: Compiler): (x: Run, rows: readonly [Value, Value]) => boolean {
  if (trigger.when === undefined) return () => true;
  const scope = new Scope(new Compilation(compiler));
  const [before, after] = [scope.add('old', columnsOf(table)), scope.add('new', columnsOf(table))];
  const { eval: evaluate } = coerced(scope.compile(trigger.when as Node), 'bool');
  const nulls = table.columns.map(() => null);
  return (x, [old, fresh]) => {
    x.rows[before.slot] = (old as Value[] | null) ?? nulls;
    x.rows[after.slot] = (fresh as Value[] | null) ?? nulls;
    return evaluate(x) === true;
  };
}
