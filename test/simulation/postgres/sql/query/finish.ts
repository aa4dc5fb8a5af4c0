import type { Tuple, Value } from '../../storage/types.ts';
import { keyOf } from '../../values/compare.ts';
import type { Eval } from '../expr.ts';
import type { Run, Values } from '../run.ts';
import type { Walk } from './join.ts';
import type { Lock } from './locking.ts';
import type { Sort } from './sort.ts';

interface Ending {
  readonly walk: Walk;
  readonly project: (x: Run) => Values;
  /** Of a target that gives several rows. */
  readonly projectAll: ((x: Run) => readonly Values[]) | undefined;
  readonly sort: Sort | undefined;
  /** `all`: rows that are the same are one; else the first of those with the same values. */
  readonly distinct: 'all' | readonly Eval[] | undefined;
  readonly limit: Eval | undefined;
  readonly offset: Eval | undefined;
  readonly lock: Lock | undefined;
  /** Where the rows of tables are noted, for locks. */
  readonly slots: readonly number[];
}

/** The rows in their order, without repetitions, from the offset up to the limit; only what is given out is locked. */
export function finished(ending: Ending): (x: Run) => readonly Values[] {
  const { sort, distinct, projectAll } = ending;
  return sort === undefined && distinct === undefined && projectAll === undefined ? streamed(ending) : gathered(ending);
}

/** Null is no limit. */
function countOf(evaluate: Eval | undefined, x: Run, otherwise: number): number {
  return evaluate === undefined ? otherwise : ((evaluate(x) as number | null) ?? otherwise);
}

function streamed({ walk, project, limit, offset, lock }: Ending): (x: Run) => readonly Values[] {
  return x => {
    const out: Values[] = [];
    const max = countOf(limit, x, Infinity);
    let skipped = countOf(offset, x, 0);
    if (max <= 0) return out;
    walk(x, () => {
      if (lock !== undefined && !lock(x)) return false;
      if (skipped > 0) {
        skipped--;
        return false;
      }
      out.push(project(x));
      return out.length >= max;
    });
    return out;
  };
}

interface Entry {
  readonly row: Values;
  readonly keys: Values;
  readonly marks: readonly Value[];
  readonly tuples: readonly (Tuple | undefined)[];
}

function gathered(ending: Ending): (x: Run) => readonly Values[] {
  const { walk, project, projectAll, sort, distinct, limit, offset, lock, slots } = ending;
  return x => {
    const max = countOf(limit, x, Infinity);
    const skipped = countOf(offset, x, 0);
    let entries: Entry[] = [];
    walk(x, () => {
      const keys = sort?.keys(x) ?? [];
      const marks = Array.isArray(distinct) ? (distinct as readonly Eval[]).map(evaluate => evaluate(x)) : [];
      const tuples = lock === undefined ? [] : slots.map(slot => x.tuples[slot]);
      for (const row of projectAll === undefined ? [project(x)] : projectAll(x)) entries.push({ row, keys, marks, tuples });
      return false;
    });
    if (sort !== undefined) entries.sort((a, b) => sort.order(a.keys, b.keys));
    if (distinct !== undefined) entries = firsts(entries, entry => (distinct === 'all' ? entry.row : entry.marks));
    if (lock === undefined) return entries.slice(skipped, skipped + max).map(entry => entry.row);
    return locked(entries, { x, lock, slots, skipped, max });
  };
}

function firsts(entries: readonly Entry[], of: (entry: Entry) => readonly Value[]): Entry[] {
  const seen = new Set<string>();
  return entries.filter(entry => {
    const key = keyOf(of(entry));
    return !seen.has(key) && seen.add(key);
  });
}

interface Locking {
  readonly x: Run;
  readonly lock: Lock;
  readonly slots: readonly number[];
  readonly skipped: number;
  readonly max: number;
}

/** Until there are enough of which none is held. */
function locked(entries: readonly Entry[], { x, lock, slots, skipped, max }: Locking): Values[] {
  const out: Values[] = [];
  let left = skipped;
  for (const { row, tuples } of entries) {
    if (out.length >= max) break;
    for (const [i, slot] of slots.entries()) x.tuples[slot] = tuples[i];
    if (!lock(x)) continue;
    if (left > 0) left--;
    else out.push(row);
  }
  return out;
}
