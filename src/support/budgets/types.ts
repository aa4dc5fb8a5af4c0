import type { BudgetRow } from './budgets.sql.ts';
import type { Tx } from '../../db/database.ts';

/*
 * What the gateway asks of its ledger, in the words of this slice: the port itself stands with the gateway, which no slice may know.
 * A test holds the two against each other.
 */

/** On whose behalf a call is made. */
export interface Spender {
  readonly tenantId: string;
  readonly runId: string;
  readonly projectId: string;
  readonly specId: string | null;
  readonly ticketId: string | null;
  /** Kind of the agent, such as codex. */
  readonly agent: string;
}

/** Micro-USD per million tokens. */
export interface Price {
  readonly input: number;
  readonly output: number;
  readonly cached: number;
  readonly cacheWrite: number;
  /** The day on which the price was looked up, as YYYY-MM-DD. */
  readonly asOf: string;
}

/** What a call may come to. */
export interface Wanted {
  readonly run: Spender;
  readonly wire: string;
  readonly provider: string;
  readonly model: string;
  readonly isRecorded: boolean;
  /** An upper bound of what the request has. */
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** With fewer than these an answer is of no use. */
  readonly outputTokensMin: number;
  /** Null where nobody knows it. */
  readonly price: Price | null;
}

export type Reserved =
  | { readonly kind: 'granted'; readonly callId: string; readonly outputTokens: number }
  | { readonly kind: 'spent'; readonly message: string; readonly budgetId: string; readonly questionId: string }
  | { readonly kind: 'busy'; readonly message: string }
  | { readonly kind: 'unpriced'; readonly message: string };

export interface Usage {
  /** Without those that were read from or written to the provider's cache. */
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cachedTokens: number;
  readonly cacheWriteTokens: number;
  /** Part of outputTokens. */
  readonly reasoningTokens: number;
}

/** How a call ended. */
export interface Settlement {
  readonly tenantId: string;
  readonly state: 'completed' | 'failed' | 'incomplete';
  readonly status: number | null;
  readonly errorClass: string | null;
  readonly attempts: number;
  readonly provider: string;
  readonly model: string;
  readonly usage: Usage;
  /** Null where there is no price. */
  readonly costMicroUsd: number | null;
  readonly firstByteMs: number | null;
}

export interface Ledger {
  reserve(wanted: Wanted, signal: AbortSignal): Promise<Reserved>;
  settle(callId: string, settlement: Settlement): Promise<void>;
}

/** A budget that has refused a call. */
export interface Spent {
  readonly budget: BudgetRow;
  /** For people: which budget, and how far it is spent. */
  readonly message: string;
  /** Whose call it was. */
  readonly run: Spender;
}

/** Asks a person what is to become of a spent budget, or finds the question that is open already; its id. */
export type AskAboutBudget = (tx: Tx, spent: Spent) => Promise<string>;
