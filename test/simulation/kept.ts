import { readFileSync } from 'node:fs';
import type { RuleName } from './oracle/rules.ts';
import { shrink } from './shrink.ts';
import { optionsOf, silence, type WorldOptions } from './world/options.ts';

/** A world that once broke a rule. It is kept whole, since a seed means another one as soon as its options are drawn otherwise. */
export interface Kept {
  readonly seed: number;
  readonly what: string;
  readonly options: WorldOptions;
}

/** One a line. They run first, for ever. */
const file = new URL('kept.jsonl', import.meta.url);

export const kept: readonly Kept[] = readFileSync(file, 'utf8')
  .split('\n')
  .filter(Boolean)
  .map(line => {
    const { seed, what, options } = JSON.parse(line) as { seed: number; what: string; options: Partial<WorldOptions> };
    const now = optionsOf(seed);
    // What a world did not have then is as it is now; but nobody said anything, where nobody could.
    return { seed, what, options: { ...now, ...silence, ...options, settings: { ...now.settings, ...options.settings } } };
  });

/** The line by which a seed that breaks a rule now is kept: the least of it that still does. */
export async function lineFor(seed: number, rule: RuleName): Promise<string> {
  const { seed: _, ...options } = optionsOf(seed, await shrink(seed, rule));
  return JSON.stringify({ seed, what: rule, options });
}
