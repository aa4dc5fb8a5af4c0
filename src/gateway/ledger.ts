import type { RunContext } from '../stages/runs/index.ts';
import type { Price, Usage } from './model/usage.ts';
import type { Wire } from './upstream.ts';

export type { Price, Usage } from './model/usage.ts';

/** The port to those who keep the accounts: what a call may cost is reserved before it, what it did cost is settled after. */
export interface Ledger {
  /** Waits where only the reservations of other calls stand in the way, up to a maximum. */
  reserve(wanted: Reservation, signal: AbortSignal): Promise<Reserved>;
  /** Once per granted call; said again it changes nothing. */
  settle(callId: string, settlement: Settlement): Promise<void>;
}

export interface Reservation {
  readonly run: RunContext;
  readonly wire: Wire;
  readonly provider: string;
  /** As the provider names it. */
  readonly model: string;
  readonly isRecorded: boolean;
  /** An upper bound of what the request has. */
  readonly inputTokens: number;
  /** The most that the answer may have. */
  readonly outputTokens: number;
  /** With fewer than these an answer is of no use. */
  readonly outputTokensMin: number;
  /** Null where nobody knows it. */
  readonly price: Price | null;
}

export type Reserved =
  /** `outputTokens`: the limit to be put into the request, at most what was asked for. */
  | { readonly kind: 'granted'; readonly callId: string; readonly outputTokens: number }
  /** A cap is spent: nothing that others give back helps. */
  | { readonly kind: 'spent'; readonly message: string; readonly budgetId: string; readonly questionId: string }
  /** Others hold what is left, and have not given enough of it back in time. */
  | { readonly kind: 'busy'; readonly message: string }
  /** A cap in money applies, and the model has no price. */
  | { readonly kind: 'unpriced'; readonly message: string };

export interface Settlement {
  readonly tenantId: string;
  readonly state: 'completed' | 'failed' | 'incomplete';
  /** Of the provider's last answer; null where there was none. */
  readonly status: number | null;
  readonly errorClass: string | null;
  /** Requests that were sent to providers. */
  readonly attempts: number;
  /** Who answered in the end, where that is not who was reserved for. */
  readonly provider: string;
  readonly model: string;
  readonly usage: Usage;
  /** Micro-USD; null where there is no price. */
  readonly costMicroUsd: number | null;
  readonly firstByteMs: number | null;
}
