import type { Pool } from '../pool/index.ts';
import type { Death } from '../report.ts';
import { keepMutant } from '../report.ts';
import { type Mutant, mutantSeedsMax, mutants } from './index.ts';

export interface Dying {
  readonly deaths: readonly Death[];
  readonly astray: Readonly<Partial<Record<string, number>>>;
}

/** After how many seeds a mutant dies, for each of the seeds that it is begun with, and by which rule. */
export async function dying(
  pool: Pool,
  { name }: Mutant,
  { firsts, count = mutantSeedsMax }: { readonly firsts: readonly number[]; readonly count?: number },
): Promise<Dying> {
  const deaths: Death[] = [];
  const astray: Partial<Record<string, number>> = {};
  for (const first of firsts) {
    const { violations, astray: others } = await pool.run({ first, count, mutant: name, isFirstEnough: true });
    const [died] = violations;
    deaths.push({ first, after: died === undefined ? null : died.seed - first + 1, rule: died?.rule ?? null });
    for (const [rule, times] of Object.entries(others)) astray[rule] = (astray[rule] ?? 0) + times;
  }
  return { deaths, astray };
}

export function keepDying({ name, what, rules }: Mutant, how: Dying): void {
  keepMutant(
    { name, what, rules: rules.join('; '), ...how },
    mutants.map(mutant => mutant.name),
  );
}

export function tellDying({ name }: Mutant, { deaths, astray }: Dying): string {
  const each = deaths.map(({ first, after, rule }) =>
    after === null ? `from ${first} lives` : `from ${first} after ${after} seeds: ${rule}`,
  );
  const others = Object.entries(astray).map(([rule, count]) => `${rule} ${count}`);
  return `${name} dies ${each.join(', ')}${others.length === 0 ? '' : ` (otherwise before: ${others.join(', ')})`}`;
}
