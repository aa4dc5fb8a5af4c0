import type { Failure } from '../model/failure.ts';
import type { Fields } from '../model/json.ts';
import type { Usage } from '../model/usage.ts';
import type { Wire } from '../model/wire.ts';

/** What one wire looks like: everything that differs between them, and nothing that does not. */
export interface WireFormat {
  readonly wire: Wire;
  /** What the body says; for Gemini the path says the model and whether it streams. */
  readRequest(body: Fields): AskedFields;
  /** Why the gateway cannot take the request, in a sentence; undefined where it can. */
  refuse(body: Fields): string | undefined;
  /** The body as it is sent: a copy with the model and the limit in it. A limit of null leaves the client's own. */
  prepare(body: Fields, sent: SentFields): Fields;
  createReader(body: Fields): AnswerReader;
  /** A refusal in the wire's own shape, as a client of it reads it. */
  errorBody(problem: Problem): object;
  /** The same within a stream, as bytes of an event stream. */
  errorEvent(problem: Problem): string;
  /** What the wire's clients expect for an overloaded provider. */
  readonly overloadedStatus: number;
}

export interface AskedFields {
  readonly model: string | undefined;
  readonly isStream: boolean;
  /** Tokens that one answer may have; null where the body does not say it. */
  readonly outputTokens: number | null;
  /** Answers to the one request: each may be as long as the limit. */
  readonly choices: number;
  /** Tokens without which the provider refuses the request, such as a budget for thinking. */
  readonly outputTokensMin: number;
  /** It asks for its prompt to be cached for an hour, which is dearer. */
  readonly isCachedLong?: boolean;
}

export interface SentFields {
  readonly model: string;
  readonly outputTokens: number | null;
  readonly isStream: boolean;
}

/** Reads one answer as it comes. */
export interface AnswerReader {
  /** One event of a stream. */
  event(event: { readonly event?: string | undefined; readonly data: string }): Seen;
  /** An answer that came in one piece. */
  whole(answer: unknown): Seen;
  /** Undefined where the provider has not said it. */
  usage(): Usage | undefined;
  /** An upper bound of the tokens that were seen to come. */
  tokensSeen(): number;
  /** Why an answer that is whole does not finish what it was asked for; undefined where it does. */
  short(): Short | undefined;
}

/** It reached its limit, or the model would not go on. */
export type Short = 'length' | 'refusal';

export type Seen =
  /** Nothing that a client waits for, such as a ping. */
  | { readonly kind: 'idle' }
  /** Asked for by the gateway alone, and not passed on. */
  | { readonly kind: 'hidden' }
  | { readonly kind: 'content' }
  /** The answer is whole. */
  | { readonly kind: 'terminal' }
  | { readonly kind: 'error'; readonly failure: Failure };

export const idle: Seen = { kind: 'idle' };
export const hidden: Seen = { kind: 'hidden' };
export const content: Seen = { kind: 'content' };
export const terminal: Seen = { kind: 'terminal' };

/** Something that a client is told instead of its answer. */
export interface Problem {
  readonly status: number;
  /** For programs, such as `budget_spent`. */
  readonly code: string;
  /** For people, and for agents: what was wrong and how to mend it. */
  readonly message: string;
}

/** Thinking and the words after it: with fewer tokens an answer is cut off before it says anything. */
export const outputTokensMin = 256;
