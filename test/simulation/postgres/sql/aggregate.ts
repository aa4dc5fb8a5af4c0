import type { Value } from '../storage/types.ts';
import type { Run } from './run.ts';

/** One aggregate of a query. */
export interface AggregateSpec {
  begin(): Accumulator;
}

export interface Accumulator {
  add(x: Run): void;
  result(): Value;
}

/** A window function of a query: one value for each of its rows. */
export interface WindowSpec {
  number(rows: readonly Restorable[]): readonly Value[];
}

/** A row of a query that is looked at again. */
interface Restorable {
  restore(): Run;
}
