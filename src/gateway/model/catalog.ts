import { Fault, isFault } from '../../kernel/fault.ts';
import { knownModel, type KnownModel, knownModels, ownModel, type OwnPrice } from './prices.ts';
import { type ProviderKind, type Wire, wireNames } from './wire.ts';

/** A provider, as far as names are concerned. */
export interface KnownProvider {
  readonly name: string;
  readonly wires: readonly Wire[];
  /** Whose table of prices holds for it; null where none does. */
  readonly kind: ProviderKind | null;
  readonly isRecorded: boolean;
  /** The environment variable that has its key; null where it is asked without one. */
  readonly keyVariable: string | null;
  /** At which model's prices its calls are counted. */
  readonly pricedAs: string | null;
}

export interface Catalog {
  readonly providers: ReadonlyMap<string, KnownProvider>;
  /** Name → `provider/model`, in the order in which they are tried. */
  readonly aliases: ReadonlyMap<string, readonly string[]>;
  /** `provider/model` → price, of the models file. */
  readonly prices: ReadonlyMap<string, OwnPrice>;
  /** Where the models file is, or would be. */
  readonly modelsFile: string;
}

export interface Target {
  readonly provider: string;
  /** As the provider names it. */
  readonly model: string;
}

/**
 * Who can answer a call for a model, in the order in which they are asked; never empty. Throws Fault `unknown_model`, or `no_model` where
 * nobody could be asked at all. Nothing is ever replaced by what was not asked for.
 */
export function resolveModel(catalog: Catalog, name: string, wire: Wire): readonly Target[] {
  if (catalog.providers.size === 0)
    throw new Fault('no_model', { message: 'No model provider is configured', hint: howToConfigure(catalog) });
  const targets = targetsOf(catalog, name).filter(({ provider }) => catalog.providers.has(provider));
  if (targets.length === 0)
    throw unknown(catalog, `The model ${shown(name)} is an alias of models whose providers are not configured`);
  const speaking = speakingOf(catalog, targets, wire);
  if (speaking.length > 0) return speaking;
  throw new Fault('unknown_model', {
    message: `The model ${shown(name)} is not reached over ${wireNames[wire]}`,
    hint: `${targets.map(({ provider }) => `${provider} speaks ${spoken(catalog, provider)}`).join('; ')}. The gateway does not translate`,
  });
}

/**
 * Who could be asked for a model over a wire. Where the wire is not known, or nobody speaks it, who could be over any; none where nobody
 * can.
 */
export function targetsNamed(catalog: Catalog, name: string, wire: Wire | undefined): readonly Target[] {
  try {
    const targets = targetsOf(catalog, name).filter(({ provider }) => catalog.providers.has(provider));
    const speaking = wire === undefined ? [] : speakingOf(catalog, targets, wire);
    return speaking.length > 0 ? speaking : targets;
  } catch (error) {
    // It is said to who asks for the model.
    if (isFault(error)) return [];
    throw error;
  }
}

function speakingOf({ providers }: Catalog, targets: readonly Target[], wire: Wire): readonly Target[] {
  return targets.filter(({ provider }) => providers.get(provider)?.wires.includes(wire));
}

function targetsOf(catalog: Catalog, name: string): readonly Target[] {
  const alias = catalog.aliases.get(name);
  if (alias !== undefined) return alias.map(parseTarget).filter(target => target !== undefined);
  const named = parseTarget(name);
  if (named !== undefined) {
    if (catalog.providers.has(named.provider)) return [named];
    const missing = wellKnown.find(({ provider }) => provider === named.provider);
    throw missing === undefined
      ? unknown(catalog, `There is no model provider ${shown(named.provider)}`)
      : withoutKey(catalog, name, missing);
  }
  const known = wellKnown.find(({ prefix }) => prefix.test(name));
  if (known === undefined) throw unknown(catalog, `There is no model ${shown(name)}`);
  if (!catalog.providers.has(known.provider)) throw withoutKey(catalog, name, known);
  return [{ provider: known.provider, model: name }];
}

interface WellKnown {
  readonly prefix: RegExp;
  readonly provider: string;
  readonly variable: string;
}

const wellKnown: readonly WellKnown[] = [
  { prefix: /^claude-/, provider: 'anthropic', variable: 'ANTHROPIC_API_KEY' },
  { prefix: /^(gpt-|o\d|codex-|chatgpt-)/, provider: 'openai', variable: 'OPENAI_API_KEY' },
  { prefix: /^gemini-/, provider: 'gemini', variable: 'GEMINI_API_KEY' },
];

/** `provider/model`; the model's own name may have slashes too. */
export function parseTarget(name: string): Target | undefined {
  const [, provider, model] = /^([a-z0-9][a-z0-9_-]*)\/(.+)$/.exec(name) ?? [];
  return provider === undefined || model === undefined ? undefined : { provider, model };
}

export function targetName({ provider, model }: Target): string {
  return `${provider}/${model}`;
}

/** What is known of a target: its price, and how long its answers may be. Undefined where nothing is. */
export function modelOf(catalog: Catalog, target: Target): KnownModel | undefined {
  const own = catalog.prices.get(targetName(target));
  if (own !== undefined) return ownModel(own);
  const { pricedAs = null, kind = null } = catalog.providers.get(target.provider) ?? {};
  if (pricedAs !== null) return pricedModel(catalog, pricedAs);
  return kind === null ? undefined : knownModel(kind, target.model);
}

/** Its provider need not be configured: nobody asks it. */
function pricedModel(catalog: Catalog, name: string): KnownModel | undefined {
  const own = catalog.prices.get(name);
  const { provider, model } = parseTarget(name) ?? { provider: '', model: '' };
  return own === undefined ? knownModel(kindNamed(provider), model) : ownModel(own);
}

function kindNamed(name: string): ProviderKind {
  return name === 'anthropic' || name === 'openai' || name === 'gemini' ? name : 'openai-compatible';
}

/** Names that a call over this wire may use: aliases, then the known models of each provider. */
export function usableModels(catalog: Catalog, wire: Wire): readonly string[] {
  const speaks = (provider: string | undefined) =>
    provider !== undefined && catalog.providers.get(provider)?.wires.includes(wire) === true;
  const aliases = [...catalog.aliases]
    .filter(([, names]) => names.some(each => speaks(parseTarget(each)?.provider)))
    .map(([name]) => name);
  const known = [...catalog.providers.values()]
    .filter(({ name }) => speaks(name))
    .flatMap(({ name, kind }) => (kind === null ? [] : knownModels(kind).map(model => `${name}/${model}`)));
  const priced = [...catalog.prices.keys()].filter(name => speaks(parseTarget(name)?.provider));
  return [...new Set([...aliases, ...known, ...priced])];
}

function withoutKey(catalog: Catalog, name: string, { provider, variable }: WellKnown): Fault {
  return new Fault('no_model', {
    message: `The model ${shown(name)} is one of the provider ${provider}, which is not configured`,
    hint: `Set ${variable} in the environment of the server, or name the provider in ${catalog.modelsFile}, and start the server again. ${whatThereIs(catalog)}`,
  });
}

function unknown(catalog: Catalog, message: string): Fault {
  return new Fault('unknown_model', { message, hint: whatThereIs(catalog) });
}

const namesShownMax = 20;

function whatThereIs(catalog: Catalog): string {
  const providers = [...catalog.providers.keys()].slice(0, namesShownMax).map(name => `${name}/…`);
  const aliases = [...catalog.aliases.keys()].slice(0, namesShownMax);
  return `There are models of ${providers.join(', ')}${aliases.length === 0 ? '' : `, and the aliases ${aliases.join(', ')}`}`;
}

function howToConfigure({ modelsFile }: Pick<Catalog, 'modelsFile'>): string {
  const variables = wellKnown.map(({ variable }) => variable);
  return `Set ${variables.slice(0, -1).join(', ')} or ${variables.at(-1)} in the environment of the server, or name a provider in ${modelsFile}, and start the server again`;
}

function spoken({ providers }: Catalog, provider: string): string {
  return (providers.get(provider)?.wires ?? []).map(wire => wireNames[wire]).join(' and ');
}

/** A name that came from outside. */
function shown(name: string): string {
  return JSON.stringify(name.length <= 100 ? name : `${name.slice(0, 100)}…`);
}
