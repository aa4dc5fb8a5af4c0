import type { ProviderKind } from './wire.ts';

/** What is known of a model: USD per million tokens, and the most tokens that an answer may have. */
interface Row {
  readonly input: number;
  readonly output: number;
  readonly cached: number;
  readonly cacheWrite: number;
  readonly outputTokensMax: number;
  /** A prompt of more tokens than this is dearer as a whole, by `longFactor`. */
  readonly longAbove?: number;
  readonly asOf: string;
}

/** When most rows were looked up. */
const july = '2026-07-02';

/** Of every provider that has such a surcharge. */
export const longFactor = { input: 2, output: 1.5, cached: 2, cacheWrite: 2 } as const;

/**
 * Looked up in models.dev (which quotes platform.claude.com/docs/en/about-claude/pricing, developers.openai.com/api/docs/pricing and
 * ai.google.dev/gemini-api/docs/pricing) on the day that each row says. A price in the models file goes before these; a model that is
 * in neither has no price, and is never counted at a guessed one.
 */
export const priceTable: Readonly<Record<Exclude<ProviderKind, 'openai-compatible'>, Readonly<Record<string, Row>>>> = {
  anthropic: {
    'claude-opus-5-5': claude([4, 20, 0.2, 5], 128_000, '2026-10-03'),
    'claude-sonnet-5-5': claude([2, 10, 0.1, 2.5], 128_000, '2026-10-03'),
    'claude-opus-5': claude([5, 25, 0.5, 6.25], 128_000, '2026-10-03'),
    'claude-sonnet-5': claude([2, 10, 0.2, 2.5], 128_000),
    'claude-fable-5': claude([10, 50, 1, 12.5], 128_000),
    'claude-opus-4-8': claude([5, 25, 0.5, 6.25], 128_000),
    'claude-opus-4-7': claude([5, 25, 0.5, 6.25], 128_000),
    'claude-opus-4-6': claude([5, 25, 0.5, 6.25], 128_000),
    'claude-opus-4-5': claude([5, 25, 0.5, 6.25], 64_000),
    'claude-opus-4-1': claude([15, 75, 1.5, 18.75], 32_000),
    'claude-opus-4-0': claude([15, 75, 1.5, 18.75], 32_000),
    'claude-opus-4': claude([15, 75, 1.5, 18.75], 32_000),
    'claude-sonnet-4-6': claude([3, 15, 0.3, 3.75], 64_000),
    'claude-sonnet-4-5': { ...claude([3, 15, 0.3, 3.75], 64_000), longAbove: 200_000 },
    'claude-sonnet-4-0': { ...claude([3, 15, 0.3, 3.75], 64_000), longAbove: 200_000 },
    'claude-sonnet-4': { ...claude([3, 15, 0.3, 3.75], 64_000), longAbove: 200_000 },
    'claude-haiku-4-5': claude([1, 5, 0.1, 1.25], 64_000),
  },
  openai: {
    'gpt-6-astra': { ...gpt([10, 50, 1, 12.5], '2026-10-03'), longAbove: 272_000 },
    'gpt-5.6': { ...gpt([2, 10, 0.2, 2.5], '2026-10-03'), longAbove: 272_000 },
    'gpt-5.6-sol': { ...gpt([2, 10, 0.2, 2.5], '2026-10-03'), longAbove: 272_000 },
    'gpt-5.5': { ...gpt([5, 30, 0.5]), longAbove: 272_000 },
    'gpt-5.4': { ...gpt([2.5, 15, 0.25]), longAbove: 272_000 },
    'gpt-5.4-mini': gpt([0.75, 4.5, 0.075]),
    'gpt-5.4-nano': gpt([0.2, 1.25, 0.02]),
    'gpt-5.3-codex': gpt([1.75, 14, 0.175]),
    'gpt-5.2': gpt([1.75, 14, 0.175]),
    'gpt-5.2-codex': gpt([1.75, 14, 0.175]),
    'gpt-5.1': gpt([1.25, 10, 0.125]),
    'gpt-5.1-codex': gpt([1.25, 10, 0.125]),
    'gpt-5.1-codex-max': gpt([1.25, 10, 0.125]),
    'gpt-5.1-codex-mini': gpt([0.25, 2, 0.025]),
    'gpt-5': gpt([1.25, 10, 0.125]),
    'gpt-5-codex': gpt([1.25, 10, 0.125]),
    'gpt-5-mini': gpt([0.25, 2, 0.025]),
    'gpt-5-nano': gpt([0.05, 0.4, 0.005]),
    'gpt-4.1': { ...gpt([2, 8, 0.5]), outputTokensMax: 32_768 },
    'gpt-4.1-mini': { ...gpt([0.4, 1.6, 0.1]), outputTokensMax: 32_768 },
    'gpt-4.1-nano': { ...gpt([0.1, 0.4, 0.025]), outputTokensMax: 32_768 },
    'gpt-4o': { ...gpt([2.5, 10, 1.25]), outputTokensMax: 16_384 },
    // Dearer than the versions after it, for which the name without a date stands.
    'gpt-4o-2024-05-13': { ...gpt([5, 15, 5]), outputTokensMax: 4_096 },
    'gpt-4o-mini': { ...gpt([0.15, 0.6, 0.075]), outputTokensMax: 16_384 },
    o3: { ...gpt([2, 8, 0.5]), outputTokensMax: 100_000 },
    'o4-mini': { ...gpt([1.1, 4.4, 0.275]), outputTokensMax: 100_000 },
  },
  gemini: {
    'gemini-3.8-flash': gemini([0.75, 3.75, 0.075], '2026-10-03'),
    'gemini-3.7-flash': gemini([1.5, 7.5, 0.15], '2026-10-03'),
    'gemini-3.5-flash': gemini([1.5, 9, 0.15]),
    'gemini-3.1-pro-preview': { ...gemini([2, 12, 0.2]), longAbove: 200_000 },
    'gemini-3.1-flash-lite': gemini([0.25, 1.5, 0.025]),
    'gemini-3-pro-preview': { ...gemini([2, 12, 0.2]), longAbove: 200_000 },
    'gemini-3-flash-preview': gemini([0.5, 3, 0.05]),
    'gemini-2.5-pro': { ...gemini([1.25, 10, 0.125]), longAbove: 200_000 },
    'gemini-2.5-flash': gemini([0.3, 2.5, 0.03]),
    'gemini-2.5-flash-lite': gemini([0.1, 0.4, 0.01]),
  },
};

function claude(
  [input, output, cached, cacheWrite]: readonly [number, number, number, number],
  outputTokensMax: number,
  asOf = july,
): Row {
  return { input, output, cached, cacheWrite, outputTokensMax, asOf };
}

/** To write to the cache costs nothing more where no price of its own is given. */
function gpt([input, output, cached, cacheWrite = input]: readonly [number, number, number, number?], asOf = july): Row {
  return { input, output, cached, cacheWrite, outputTokensMax: 128_000, asOf };
}

function gemini([input, output, cached]: readonly [number, number, number], asOf = july): Row {
  return { input, output, cached, cacheWrite: input, outputTokensMax: 65_536, asOf };
}
