import type { Clock } from '../../../kernel/clock.ts';
import type { Place } from './place.ts';
import type { Program } from './ways/tiny.ts';

export interface Measure {
  readonly place: Place;
  readonly program: Program;
  /** So many of each. */
  readonly count: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** What is measured now, for a person who waits. */
  readonly say: (what: string) => void;
}
