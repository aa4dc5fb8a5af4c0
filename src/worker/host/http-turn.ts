/**
 * What a worker and the program that hands a ticket to an endpoint (src/inside/http.ts) say to each other: the turn as one JSON
 * document on stdin, and one event as JSON on stdout. How it goes is said on stderr.
 */
export interface HttpTurn {
  readonly url: string;
  /** Beside those of the protocol. */
  readonly headers: Readonly<Record<string, string>>;
  /** The ticket as JSON, sent as it is. */
  readonly task: string;
  /** How long it may take; work that is not done then is taken back. */
  readonly timeoutMs: number;
  /** When that is over, in milliseconds since the epoch: the program may be slow to begin, and the worker does not wait for it. */
  readonly endsAt: number;
}

/** For telling an endpoint that nobody waits for its work any more. */
export const farewellMs = 3_000;

export type HttpEvent =
  | { readonly event: 'done'; readonly summary: string; readonly files: number }
  | { readonly event: 'failed'; readonly why: WhyNoWork; readonly message: string };

/**
 * `rule`: the network of the project does not lead there; `away`: nobody answers now; `refused`: it does not take the ticket; `gave_up`: it
 * says itself that it could not do it, or knows nothing of it any more; `late`: it has not done it in time; `malformed`: its answer is none.
 */
export type WhyNoWork = 'rule' | 'away' | 'refused' | 'gave_up' | 'late' | 'malformed' | 'other';

/** The program's file, in the folder of the programs for sandboxes. */
export const httpProgram = 'http.mjs';
