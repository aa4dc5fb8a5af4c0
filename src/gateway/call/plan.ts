import { Fault } from '../../kernel/fault.ts';
import type { Price } from '../ledger.ts';
import { type Catalog, modelOf, resolveModel, type Target, targetName } from '../model/catalog.ts';
import { estimateTokens } from '../model/estimate.ts';
import type { KnownModel } from '../model/prices.ts';
import { longCachePrice } from '../model/usage.ts';
import type { AskedFields, WireFormat } from '../wires/format.ts';
import { formats } from '../wires/index.ts';
import type { Asked } from './types.ts';

/** What a call is going to be: whom it asks, and what it can cost at most. */
export interface Plan {
  readonly asked: Asked;
  readonly format: WireFormat;
  readonly fields: AskedFields;
  readonly targets: readonly Target[];
  readonly known: ReadonlyMap<string, KnownModel>;
  /** An upper bound of the request. */
  readonly inputTokens: number;
  /** The most that one answer may have. */
  readonly outputTokens: number;
  /** The dearest of all targets, so that what is reserved is enough whoever answers; null where one of them has none. */
  readonly price: Price | null;
}

/** Where neither the request nor the table says how long an answer may be. */
const outputTokensDefault = 32_000;
/** Twice what the model with the largest window reads: the estimate errs upwards. */
const inputTokensMax = 4_000_000;
/** Answers to one request. More would let one call look as if it spent a whole budget. */
const choicesMax = 8;

/** Throws Fault `invalid_request`, `unknown_model` or `no_model`. */
export function planCall(catalog: Catalog, asked: Asked): Plan {
  const format = formats[asked.wire];
  const inputTokens = estimateTokens(asked.body);
  if (inputTokens === undefined) throw new Fault('invalid_request', { message: 'The body is nested deeper than 100 levels' });
  if (inputTokens > inputTokensMax)
    throw new Fault('too_large', { message: `The request has about ${inputTokens} tokens: more than any model can read` });
  const refusal = format.refuse(asked.body);
  if (refusal !== undefined) throw new Fault('invalid_request', { message: refusal });
  const targets = resolveModel(catalog, asked.model, asked.wire);
  const known = new Map(
    targets.flatMap(target => {
      const model = modelOf(catalog, target);
      return model === undefined ? [] : [[targetName(target), model] as const];
    }),
  );
  const fields = format.readRequest(asked.body);
  if (fields.choices > choicesMax)
    throw new Fault('invalid_request', { message: `${fields.choices} answers to one request: at most ${choicesMax}` });
  const longest = targets.map(target => known.get(targetName(target))?.outputTokensMax ?? outputTokensDefault);
  return {
    asked,
    format,
    fields,
    targets,
    known,
    inputTokens,
    outputTokens: fields.outputTokens ?? Math.max(...longest),
    price: reservedPrice(
      targets.map(target => known.get(targetName(target))?.priceFor(inputTokens) ?? null),
      fields,
    ),
  };
}

function reservedPrice(prices: readonly (Price | null)[], { isCachedLong = false }: AskedFields): Price | null {
  const price = dearest(prices);
  return price !== null && isCachedLong ? { ...price, cacheWrite: longCachePrice(price) } : price;
}

function dearest(prices: readonly (Price | null)[]): Price | null {
  const all = prices.filter(price => price !== null);
  const [first] = all;
  if (first === undefined || all.length < prices.length) return null;
  const most = (part: 'input' | 'output' | 'cached' | 'cacheWrite') => Math.max(...all.map(price => price[part]));
  return {
    input: most('input'),
    output: most('output'),
    cached: most('cached'),
    cacheWrite: most('cacheWrite'),
    asOf: first.asOf,
  };
}

/** Whose name stands in the reservation: the one without a price where there is one, since that is what is to be mended. */
export function reservedTarget({ targets, known }: Plan): Target {
  const target = targets.find(each => !known.has(targetName(each))) ?? targets[0];
  if (target === undefined) throw new Error('a plan without targets');
  return target;
}

/** The body as it is sent to a target, with at most `outputTokens` for each answer; null where no limit was reserved. */
export function bodyFor(plan: Plan, target: Target, outputTokens: number | null): string {
  const { asked, format, fields } = plan;
  const own = plan.known.get(targetName(target))?.outputTokensMax ?? null;
  const limit =
    outputTokens === null
      ? null
      : limitToWrite({ granted: outputTokens, asked: fields.outputTokens, own, isNeeded: asked.wire === 'anthropic' });
  return JSON.stringify(format.prepare(asked.body, { model: target.model, outputTokens: limit, isStream: asked.isStream }));
}

interface Limits {
  readonly granted: number;
  readonly asked: number | null;
  /** The model's own, which it keeps without being told. */
  readonly own: number | null;
  /** The wire has no default. */
  readonly isNeeded: boolean;
}

/** Null: the body keeps what it says, which is no more than was granted. */
function limitToWrite({ granted, asked, own, isNeeded }: Limits): number | null {
  if (asked !== null) return granted < asked ? granted : null;
  const limit = Math.min(granted, own ?? granted);
  return own !== null && limit === own && !isNeeded ? null : limit;
}
