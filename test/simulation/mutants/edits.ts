import type { RuleName } from '../oracle/rules.ts';
import type { SimulateOptions } from '../simulate.ts';

/** A product with a fault put in, which the oracle must see. */
export interface Mutant {
  readonly name: string;
  /** What is taken away, and where it stands. */
  readonly what: string;
  readonly how: Pick<SimulateOptions, 'rewrite' | 'unkept' | 'upstream'>;
  /** What it breaks. A world in which another rule falls first does not count: that may be no more than a crash on the way. */
  readonly rules: readonly RuleName[];
}

type Edit = readonly [from: string | RegExp, to: string];

/** Texts that hold the first of these words are changed; a mutant that changes no text would be none. */
export function inTexts(...edits: readonly { readonly where: RegExp; readonly edit: Edit }[]): Mutant['how'] {
  return {
    rewrite: text =>
      edits.reduce(
        (changed, { where, edit: [from, to] }) => (where.test(text) ? changed.replaceAll(asGlobal(from), to) : changed),
        text,
      ),
  };
}

function asGlobal(from: string | RegExp): RegExp {
  return typeof from === 'string' ? new RegExp(from.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'), 'g') : from;
}
