import { longFactor, priceTable } from './price-table.ts';
import type { Price } from './usage.ts';
import type { ProviderKind } from './wire.ts';

/** A price as the models file gives it. */
export interface OwnPrice extends Price {
  /** The most tokens of an answer; null where the file does not say it. */
  readonly outputTokensMax: number | null;
}

export interface KnownModel {
  /** For a prompt of so many tokens: some are dearer where the prompt is long. */
  readonly priceFor: (promptTokens: number) => Price;
  readonly outputTokensMax: number | null;
}

export function ownModel(price: OwnPrice): KnownModel {
  return { priceFor: () => price, outputTokensMax: price.outputTokensMax };
}

/** What the dated table says of a model; also under the name of one of its dated versions. */
export function knownModel(kind: ProviderKind, model: string): KnownModel | undefined {
  if (kind === 'openai-compatible') return undefined;
  const table = priceTable[kind];
  const name = Object.hasOwn(table, model) ? model : model.replace(version, '');
  const row = Object.hasOwn(table, name) ? table[name] : undefined;
  if (row === undefined) return undefined;
  const { asOf, outputTokensMax, longAbove = Number.POSITIVE_INFINITY } = row;
  return {
    outputTokensMax,
    priceFor(promptTokens) {
      const micro = (part: keyof typeof longFactor) =>
        Math.round(row[part] * 1_000_000 * (promptTokens > longAbove ? longFactor[part] : 1));
      return { input: micro('input'), output: micro('output'), cached: micro('cached'), cacheWrite: micro('cacheWrite'), asOf };
    },
  };
}

export function knownModels(kind: ProviderKind): readonly string[] {
  return kind === 'openai-compatible' ? [] : Object.keys(priceTable[kind]);
}

/** `-20250929`, `-2025-08-07`, `-001`: the same model at the same price. Any other end is another model (gpt-5-pro costs twelve gpt-5). */
const version = /-(\d{8}|\d{4}-\d{2}-\d{2}|\d{3}|latest)$/;
