import { modelName } from '../../../../contract/projects.ts';
import type { QuestionKind } from '../../../../contract/talk/questions.ts';

/** What a person has decided. */
export type Decision =
  | { readonly kind: 'stop' }
  /** The new cap: dollars, with at most six digits after the point, or tokens. */
  | { readonly kind: 'raise'; readonly amount: string; readonly unit: 'usd' | 'tokens' }
  | { readonly kind: 'model'; readonly model: string }
  | { readonly kind: 'text'; readonly text: string };

/** What an answer means to a question of this kind; undefined where it is none. */
export function readAnswer(kind: QuestionKind, answer: string): Decision | undefined {
  if (kind === 'ask') return { kind: 'text', text: answer };
  if (answer === 'stop') return { kind: 'stop' };
  // The word alone is no message to the next attempt.
  if (kind === 'recovery') return { kind: 'text', text: answer === 'again' ? '' : answer };
  return kind === 'blocker' ? { kind: 'text', text: answer } : readBudgetAnswer(answer);
}

function readBudgetAnswer(answer: string): Decision | undefined {
  const usd = /^raise:\s*\$?(\d{1,9}(?:[.]\d{1,6})?)$/.exec(answer)?.[1];
  if (usd !== undefined) return { kind: 'raise', amount: usd, unit: 'usd' };
  const tokens = /^raise:\s*(\d{1,15})\s*tokens$/.exec(answer)?.[1];
  if (tokens !== undefined) return { kind: 'raise', amount: tokens, unit: 'tokens' };
  const model = /^model:\s*(\S+)$/.exec(answer)?.[1];
  return model !== undefined && modelName.safeParse(model).success ? { kind: 'model', model } : undefined;
}
