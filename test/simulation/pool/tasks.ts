import { mutantNamed } from '../mutants/index.ts';
import type { RuleName } from '../oracle/rules.ts';
import { simulate, type Simulated, tell } from '../simulate.ts';
import { addStruck, type Struck } from './struck.ts';

/** Seeds for one thread, one after another. */
export interface Task {
  readonly seeds: readonly number[];
  /** The name of a mutant of the product that is simulated instead. */
  readonly mutant?: string | undefined;
  /** Each seed twice, to see that it comes out the same. */
  readonly twice?: boolean | undefined;
  /** One violation is enough. */
  readonly isFirstEnough?: boolean | undefined;
}

export interface Done {
  readonly seeds: number;
  readonly events: number;
  readonly claims: number;
  readonly landed: number;
  readonly rejected: number;
  /** Of a mutant those that say of its fault. */
  readonly violations: readonly Told[];
  /** Of a mutant: other rules that fell first in a world, and so say nothing of its fault; how often. */
  readonly astray: Readonly<Partial<Record<RuleName, number>>>;
  readonly struck: Struck;
  /** Seeds that came out otherwise the second time. */
  readonly unlike: readonly number[];
}

export interface Told {
  readonly seed: number;
  readonly rule: RuleName;
  readonly text: string;
}

export async function perform({ seeds, mutant, twice = false, isFirstEnough = false }: Task): Promise<Done> {
  const { how = {}, rules } = mutant === undefined ? {} : mutantNamed(mutant);
  const violations: Told[] = [];
  const unlike: number[] = [];
  const astray: Partial<Record<RuleName, number>> = {};
  const sum = { seeds: 0, events: 0, claims: 0, landed: 0, rejected: 0 };
  let struck: Struck = {};
  for (const seed of seeds) {
    const result = await simulate(seed, how);
    count(sum, result);
    struck = addStruck(struck, result.struck);
    const rule = result.violation?.rule;
    if (rule !== undefined && rules?.includes(rule) === false) astray[rule] = (astray[rule] ?? 0) + 1;
    else if (rule !== undefined) violations.push({ seed, rule, text: tell(result) });
    if (twice && (await simulate(seed, how)).hash !== result.hash) unlike.push(seed);
    if (isFirstEnough && violations.length > 0) break;
  }
  return { ...sum, violations, astray, struck, unlike };
}

function count(sum: Record<'seeds' | 'events' | 'claims' | 'landed' | 'rejected', number>, { figures }: Simulated): void {
  sum.seeds += 1;
  sum.events += figures.events;
  sum.claims += figures.claims;
  sum.landed += figures.landed;
  sum.rejected += figures.rejected;
}
