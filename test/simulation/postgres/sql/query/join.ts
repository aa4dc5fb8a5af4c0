import type { Tuple } from '../../storage/types.ts';
import type { Eval } from '../expr.ts';
import type { Run, Values } from '../run.ts';
import { type Access, accessTo } from './access.ts';
import type { Condition, From, Source } from './source.ts';

/** Says a row; true ends the walk. */
type Emit = (x: Run) => boolean;
/** Goes through all rows of what it joins; true where the walk was ended. */
export type Walk = (x: Run, emit: Emit) => boolean;

/**
 * Nested loops. Of the sources that can be reached the one that is found by the fewest rows goes next, and each condition is looked at
 * as soon as all that it speaks of is there, the cheap ones first.
 */
export function planJoin({ sources, conditions }: From): Walk {
  const own = new Set(sources.map(source => source.slot));
  const waiting = new Set<Condition>(conditions);
  const bound = new Set<number>();
  const isBound = (uses: ReadonlySet<number>) => [...uses].every(slot => !own.has(slot) || bound.has(slot));
  const due = (): Eval | undefined => {
    const found = [...waiting].filter(condition => isBound(condition.uses));
    for (const condition of found) waiting.delete(condition);
    return filterOf(found);
  };
  const gate = due();
  const left = [...sources];
  const steps: ((next: Walk) => Walk)[] = [];
  while (left.length > 0) {
    const chosen = cheapest(left, [...waiting], isBound);
    left.splice(left.indexOf(chosen.source), 1);
    bound.add(chosen.source.slot);
    const { outer } = chosen.source;
    const on = outer === undefined ? undefined : filterOf(outer.on);
    const filter = due();
    steps.push(next => stepOf(chosen, { on, filter }, next));
  }
  const last: Walk = (x, emit) => emit(x);
  const walk = steps.reduceRight((next, step) => step(next), last);
  return gate === undefined ? walk : (x, emit) => gate(x) === true && walk(x, emit);
}

function cheapest(
  sources: readonly Source[],
  conditions: readonly Condition[],
  isBound: (uses: ReadonlySet<number>) => boolean,
): Access {
  const reachable = sources.filter(({ uses, outer }) => isBound(uses) && (outer === undefined || isBound(outer.after)));
  const all = reachable.map(source => accessTo(source, source.outer?.on ?? conditions, isBound));
  const [first] = all;
  if (first === undefined) throw new Error('a relation of FROM hangs on itself');
  return all.reduce((best, each) => (each.cost < best.cost ? each : best), first);
}

/** Undefined where there is nothing to look at. */
function filterOf(conditions: readonly Condition[]): Eval | undefined {
  const terms = [...conditions.filter(term => !term.isDear), ...conditions.filter(term => term.isDear)].map(
    term => term.expr.eval,
  );
  const [first, second] = terms;
  if (first === undefined) return undefined;
  if (second === undefined) return first;
  return x => {
    for (const term of terms) if (term(x) !== true) return false;
    return true;
  };
}

interface Filters {
  /** Of a left join: which rows match. */
  readonly on: Eval | undefined;
  readonly filter: Eval | undefined;
}

function stepOf({ source, tuples }: Access, filters: Filters, next: Walk): Walk {
  const { slot, outer } = source;
  const inner = source.rows === undefined ? tableStep(slot, tuples, filters) : rowsStep(slot, source.rows, filters);
  if (outer === undefined) return (x, emit) => inner(x, emit, next) === 'ended';
  const nulls: Values = source.columns.map(() => null);
  const { filter } = filters;
  return (x, emit) => {
    const found = inner(x, emit, next);
    if (found !== 'none') return found === 'ended';
    x.rows[slot] = nulls;
    x.tuples[slot] = undefined;
    return (filter === undefined || filter(x) === true) && next(x, emit);
  };
}

type Loop = (x: Run, emit: Emit, next: Walk) => 'ended' | 'some' | 'none';

function tableStep(slot: number, tuples: (x: Run) => readonly Tuple[], { on, filter }: Filters): Loop {
  return (x, emit, next) => {
    let isAny = false;
    for (const tuple of tuples(x)) {
      const row = x.read(tuple);
      if (row === undefined) continue;
      x.rows[slot] = row;
      x.tuples[slot] = tuple;
      if (on !== undefined && on(x) !== true) continue;
      isAny = true;
      if (filter !== undefined && filter(x) !== true) continue;
      if (next(x, emit)) return 'ended';
    }
    return isAny ? 'some' : 'none';
  };
}

function rowsStep(slot: number, rows: (x: Run) => readonly Values[], { on, filter }: Filters): Loop {
  return (x, emit, next) => {
    let isAny = false;
    for (const row of rows(x)) {
      x.rows[slot] = row;
      if (on !== undefined && on(x) !== true) continue;
      isAny = true;
      if (filter !== undefined && filter(x) !== true) continue;
      if (next(x, emit)) return 'ended';
    }
    return isAny ? 'some' : 'none';
  };
}
