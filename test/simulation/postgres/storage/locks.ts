import type { LockMode } from './types.ts';

/** Each mode is stronger than those before it, so a transaction holds a row in one: its strongest. */
const modes = ['key share', 'share', 'no key update', 'update'] as const satisfies readonly LockMode[];

export type Strength = 0 | 1 | 2 | 3;

export function strengthOf(mode: LockMode): Strength {
  return modes.indexOf(mode) as Strength;
}

/** Table 13.3 of PostgreSQL's manual (explicit locking, row-level locks). */
export function conflicts(held: Strength, wanted: Strength): boolean {
  return held + wanted >= 3;
}
