import type { Feedback } from '../../../../contract/reviews.ts';
import type { Halt } from '../../../../contract/runs.ts';

export interface Cleared {
  readonly halt: Halt['kind'] | 'cancelled';
  /** What stood in the way, or of what it broke off. */
  readonly message: string;
  /** A person's word to the next attempt; empty where there is none. */
  readonly answer: string;
  /** Whether what was done so far is what the next attempt begins from. */
  readonly hasWork: boolean;
}

const textMax = 100_000;

/** What the next attempt is told of one that was stopped on the way: all that this one was told, why it stopped, and the answer. */
export function tellAnswer(told: Feedback | null, { halt, message, answer, hasWork }: Cleared): Feedback {
  const stopped = whatHappened({ halt, message, hasWork });
  const before = told?.text ?? '';
  // One that breaks off again and again says it once.
  const parts = [before, before.endsWith(stopped) ? '' : stopped, answer === '' ? '' : `A person has answered: ${answer}`];
  const text = parts.filter(part => part !== '').join('\n\n');
  // What was said last matters most; not in the middle of a letter of two halves.
  return { round: told?.round ?? 0, text: text.slice(-textMax).replace(/^[\udc00-\udfff]/, ''), checks: told?.checks ?? [] };
}

function whatHappened({ halt, message, hasWork }: Omit<Cleared, 'answer'>): string {
  if (halt === 'blocked') return `The last attempt said that it could not go on: ${message}`;
  const left = hasWork ? 'What it had done so far is what you begin from: go on from there.' : 'It had handed in nothing.';
  if (halt === 'question') return `The last attempt asked a person, and ended its turn until there was an answer. ${left}`;
  const how = halt === 'recovery' ? 'broke off' : 'was stopped';
  return `The last attempt ${how} before it had ended: ${message}. ${left}`;
}
