import type { Expectation } from '../format.ts';

type Single = Exclude<Expectation, unknown[]>;

/** What a text must be searched through for, at most; the end of an output tells most. */
const searchedLengthMax = 1_048_576;

/** The first expectation that a text does not meet, as people read it; undefined where it meets all. */
export function unmet(expectation: Expectation | undefined, text: string): string | undefined {
  const all = Array.isArray(expectation) ? expectation : [expectation ?? ''];
  const searched = text.slice(-searchedLengthMax);
  const first = all.find(single => !isMet(single, searched));
  return first === undefined ? undefined : typeof first === 'string' ? first : `/${first.matches}/`;
}

function isMet(single: Single, text: string): boolean {
  return typeof single === 'string' ? text.includes(single) : new RegExp(single.matches, 'm').test(text);
}
