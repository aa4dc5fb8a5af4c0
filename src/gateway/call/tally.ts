import type { Clock } from '../../kernel/clock.ts';
import type { Usage } from '../ledger.ts';
import { type Target, targetName } from '../model/catalog.ts';
import { addUsage, costOf, noUsage } from '../model/usage.ts';
import type { AnswerReader } from '../wires/format.ts';
import type { Plan } from './plan.ts';

/** What a call has used so far, over all its attempts. */
export interface Tally {
  /** A request goes out. */
  sent(target: Target): void;
  /** An answer came whole. */
  whole(reader: AnswerReader): void;
  /** An answer began, or may have begun, and its end was not seen: what the provider did not say is counted at its upper bound. */
  lost(reader: AnswerReader, how: { readonly mayHaveThought: boolean }): void;
  /** An answer was refused: only what the provider said that it used is counted. */
  refused(reader: AnswerReader): void;
  sum(): Sum;
}

export interface Sum {
  readonly attempts: number;
  readonly target: Target;
  readonly usage: Usage;
  /** Null where a model that was used has no price. */
  readonly costMicroUsd: number | null;
}

interface Reserved {
  /** Whose name stands in the reservation. */
  readonly first: Target;
  /** All that the answers to one request may have; 0 where nothing is counted. */
  readonly outputTokens: number;
  readonly clock: Clock;
}

/** Faster than any model that thinks; the few that write faster show what they write. */
const unseenTokensPerS = 250;

export function createTally(plan: Plan, { first, outputTokens, clock }: Reserved): Tally {
  let target = first;
  let sentAt = 0;
  let attempts = 0;
  let total = noUsage;
  let cost: number | null = 0;

  function add(usage: Usage): void {
    total = addUsage(total, usage);
    const price = plan.known.get(targetName(target))?.priceFor(usage.inputTokens + usage.cachedTokens + usage.cacheWriteTokens);
    cost = cost === null || price === undefined ? null : cost + costOf(usage, price);
  }

  /** What a model thinks is paid for, and is shown by none in full: whoever hangs up before the end must not have it for nothing. */
  function unseen(): number {
    return Math.min(outputTokens, Math.floor(((clock.mono() - sentAt) / 1_000) * unseenTokensPerS));
  }

  return {
    sent(next) {
      target = next;
      sentAt = clock.mono();
      attempts++;
    },
    whole: reader => add(reader.usage() ?? bound(plan, reader)),
    lost(reader, { mayHaveThought }) {
      const said = reader.usage() ?? bound(plan, reader);
      add({ ...said, outputTokens: Math.max(said.outputTokens, reader.tokensSeen(), mayHaveThought ? unseen() : 0) });
    },
    refused(reader) {
      const said = reader.usage();
      if (said !== undefined) add(said);
    },
    sum: () => ({ attempts, target, usage: total, costMicroUsd: cost }),
  };
}

function bound(plan: Plan, reader: AnswerReader): Usage {
  return { ...noUsage, inputTokens: plan.inputTokens, outputTokens: reader.tokensSeen() };
}
