import type { WireChange } from '../../../../contract/changes.ts';
import type { WireQuestion } from '../../../../contract/talk/questions.ts';
import type { WireReview } from '../../../../contract/reviews.ts';
import type { WireTrunk } from '../../../../contract/trunks.ts';
import type { Move } from './board.ts';

/** What is told of a build while it goes on, in the order in which it happened. */
export type News =
  | { readonly kind: 'trunk'; readonly trunk: WireTrunk }
  | ({ readonly kind: 'ticket' } & Move)
  /** A review that has ended. */
  | { readonly kind: 'review'; readonly review: WireReview }
  /** A change that a person must look at, or that has met another one. */
  | { readonly kind: 'change'; readonly change: WireChange }
  /** A spent budget, or an agent, asks a person. */
  | { readonly kind: 'question'; readonly question: WireQuestion }
  | { readonly kind: 'note'; readonly text: string };

/** Where the news go: a terminal, a pipe, a program. */
export interface Reporter {
  tell(news: News): void;
  /** Something moved, or a moment has passed. */
  refresh(): void;
  /** Takes away what would be in the way of a question or of the summary. */
  pause(): void;
}
