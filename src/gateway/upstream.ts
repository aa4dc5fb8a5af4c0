import type { RunContext } from '../stages/runs/index.ts';
import type { Wire } from './model/wire.ts';

export type { Wire } from './model/wire.ts';

/** `count`: only how many tokens a request has. */
export type Operation = 'generate' | 'count';

/** The port to providers of models. */
export interface Upstream {
  /** As in `provider/model`. */
  readonly name: string;
  /** As people see it; a recorded one says that it is recorded. */
  readonly label: string;
  readonly wires: readonly Wire[];
  /** Its answers were recorded, and nobody is paid. */
  readonly isRecorded: boolean;
  /** The `provider/model` at whose prices its calls are counted, where it has none of its own. */
  readonly pricedAs?: string;
  /** Resolves with the head of the answer. Throws UpstreamError where there is none. */
  open(call: UpstreamCall): Promise<UpstreamAnswer>;
}

export interface UpstreamCall {
  readonly wire: Wire;
  readonly operation: Operation;
  /** As the provider names it. */
  readonly model: string;
  readonly isStream: boolean;
  /** JSON text, with the model and the limit of the answer already in it. */
  readonly body: string;
  /** Of the client's headers the few that belong to the wire, such as anthropic-version. */
  readonly headers: Readonly<Record<string, string>>;
  /** On whose behalf; a provider on the network is told nothing of it. */
  readonly run: RunContext;
  readonly signal: AbortSignal;
}

export interface UpstreamAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** Ends with the answer; throws UpstreamError where it is cut off. To leave it early closes the connection. */
  readonly body: AsyncIterable<Uint8Array>;
}

export type UpstreamFailure = 'connect' | 'first_byte' | 'between_bytes' | 'cut_off' | 'too_large';

/** Why there is no answer, or no more of it. */
export class UpstreamError extends Error {
  readonly failure: UpstreamFailure;

  constructor(failure: UpstreamFailure, message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'UpstreamError';
    this.failure = failure;
  }
}
