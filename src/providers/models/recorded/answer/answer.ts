import type { Reply } from '../play/reply.ts';
import type { Usage } from './usage.ts';

/** All that a wire needs to write an answer. */
export interface Answer extends Pick<Reply, 'text' | 'call'> {
  /** The limit of the answer was reached before its end. */
  readonly isCutOff: boolean;
  readonly model: string;
  /** Letters and digits from which the ids of the answer and its parts are made. */
  readonly id: string;
  readonly createdS: number;
  readonly usage: Usage;
  readonly wantsUsage: boolean;
}

/** How a wire writes answers. */
export interface Writer {
  /** The events of a stream, as text; the last one ends the answer. */
  stream(answer: Answer): Iterable<string>;
  whole(answer: Answer): object;
  count(inputTokens: number): object;
  refusal(message: string, status: number): object;
}
