import type { Clock } from '../../kernel/clock.ts';
import type { Log } from '../../kernel/log.ts';
import type { RunContext, StoredHalt } from '../../stages/runs/index.ts';
import type { Ledger } from '../ledger.ts';
import type { Catalog } from '../model/catalog.ts';
import type { Fields } from '../model/json.ts';
import type { RetryLimits } from '../model/retry.ts';
import type { Operation, Upstream, Wire } from '../upstream.ts';
import type { Breakers } from './breakers.ts';
import type { Holds } from './holds.ts';

/** What a client asks for. */
export interface Asked {
  readonly run: RunContext;
  readonly wire: Wire;
  readonly operation: Operation;
  readonly body: Fields;
  /** As the body says it, or the path where the wire has it there. */
  readonly model: string;
  readonly isStream: boolean;
  readonly headers: Readonly<Record<string, string>>;
}

/** Whoever waits for the answer, as far as a call is concerned. */
export interface Client {
  /** The answer in one piece; where a stream has begun, that is cut instead. */
  answer(status: number, headers: Headers, body: string | Uint8Array): void;
  /** The head of a stream. */
  begin(headers: Headers): void;
  /** Resolves when more may be sent: at once, or when the client has read. */
  write(bytes: Uint8Array | string): Promise<void>;
  end(): void;
  /** Ends in a way that nobody takes for the end of an answer. */
  cut(): void;
}

export type Headers = Readonly<Record<string, string>>;

export interface CallParts {
  readonly catalog: Catalog;
  readonly upstreams: ReadonlyMap<string, Upstream>;
  readonly ledger: Ledger;
  readonly breakers: Breakers;
  readonly holds: Holds;
  /** Notes why the run cannot go on. */
  readonly halt: (run: RunContext, halt: StoredHalt) => Promise<void>;
  readonly retry: RetryLimits;
  readonly clock: Clock;
  /** From 0 to 1. */
  readonly random: () => number;
  readonly log: Log;
}

/** Why a call is ended from here, before its answer is whole: the reason of its signal. */
export class Cut extends Error {
  readonly kind: CutKind;

  constructor(kind: CutKind) {
    super(kind);
    this.name = 'Cut';
    this.kind = kind;
  }
}

export type CutKind = 'client_gone' | 'lease_lost' | 'total_time' | 'stopping';

export function cutOf(signal: AbortSignal): Cut {
  return signal.reason instanceof Cut ? signal.reason : new Cut('stopping');
}
