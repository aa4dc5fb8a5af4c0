/** Tokens of a call. */
export interface Usage {
  /** Without those that were read from or written to the provider's cache. */
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cachedTokens: number;
  readonly cacheWriteTokens: number;
  /** Part of cacheWriteTokens: kept for an hour, which costs twice what input does. */
  readonly cacheWriteLongTokens?: number;
  /** Part of outputTokens. */
  readonly reasoningTokens: number;
}

/** Micro-USD per million tokens, which is USD per million times a million. */
export interface Price {
  readonly input: number;
  readonly output: number;
  readonly cached: number;
  readonly cacheWrite: number;
  /** The day on which the price was looked up, as YYYY-MM-DD. */
  readonly asOf: string;
}

export const noUsage: Usage = { inputTokens: 0, outputTokens: 0, cachedTokens: 0, cacheWriteTokens: 0, reasoningTokens: 0 };

export function addUsage(a: Usage, b: Usage): Usage {
  return {
    inputTokens: a.inputTokens + b.inputTokens,
    outputTokens: a.outputTokens + b.outputTokens,
    cachedTokens: a.cachedTokens + b.cachedTokens,
    cacheWriteTokens: a.cacheWriteTokens + b.cacheWriteTokens,
    cacheWriteLongTokens: (a.cacheWriteLongTokens ?? 0) + (b.cacheWriteLongTokens ?? 0),
    reasoningTokens: a.reasoningTokens + b.reasoningTokens,
  };
}

/** In micro-USD, rounded up to a whole one: what is too small to count must not be free. */
export function costOf(usage: Usage, price: Price): number {
  const long = usage.cacheWriteLongTokens ?? 0;
  const exact =
    BigInt(usage.inputTokens) * BigInt(price.input) +
    BigInt(usage.outputTokens) * BigInt(price.output) +
    BigInt(usage.cachedTokens) * BigInt(price.cached) +
    BigInt(usage.cacheWriteTokens - long) * BigInt(price.cacheWrite) +
    BigInt(long) * BigInt(longCachePrice(price));
  return Number((exact + (perTokens - 1n)) / perTokens);
}

export function longCachePrice({ input, cacheWrite }: Price): number {
  return Math.max(cacheWrite, 2 * input);
}

/** Of how many tokens a price speaks. */
const perTokens = 1_000_000n;
