import { readFile } from 'node:fs/promises';
import { findNodeAtLocation, parseTree } from 'jsonc-parser';
import { z } from 'zod';
import { Fault } from '../kernel/fault.ts';
import { locateJsonFault } from '../kernel/json.ts';
import { parseTarget } from './model/catalog.ts';
import type { OwnPrice } from './model/prices.ts';
import { type ProviderKind, type Wire, wiresOfKind } from './model/wire.ts';

/** A provider on the network, as the settings name it. */
export interface ProviderSettings {
  readonly name: string;
  readonly kind: ProviderKind;
  readonly wires: readonly Wire[];
  /** With the version in it. */
  readonly baseUrl: string;
  /** Never logged, and in no message. */
  readonly key: string | null;
  readonly keyVariable: string | null;
}

export interface ModelSettings {
  readonly providers: readonly ProviderSettings[];
  readonly aliases: ReadonlyMap<string, readonly string[]>;
  readonly prices: ReadonlyMap<string, OwnPrice>;
  /** Where the file is, or would be looked for. */
  readonly file: string;
}

export interface ModelSources {
  readonly file: string;
  /** A file that was asked for must be there. */
  readonly isRequired: boolean;
  /** Of the environment of the server, the keys of the three well-known providers. */
  readonly keys: { readonly [name in WellKnownKey]?: string | undefined };
  /** Any other variable of the environment, which the file names. */
  readonly variable: (name: string) => string | undefined;
  /** YYYY-MM-DD: the date of prices that the file gives. */
  readonly today: string;
}

export type WellKnownKey = 'ANTHROPIC_API_KEY' | 'OPENAI_API_KEY' | 'GEMINI_API_KEY';

/** The keys of the environment and the models file, checked. Throws Fault `invalid_config` that says where the file is wrong. */
export async function readModels(sources: ModelSources): Promise<ModelSettings> {
  const text = await readFile(sources.file, 'utf8').catch((error: unknown) => {
    const { code } = error as NodeJS.ErrnoException;
    // Whether its folder can be one is for others to say.
    if ((code === 'ENOENT' || code === 'ENOTDIR') && !sources.isRequired) return undefined;
    throw new Fault('invalid_config', {
      message: `SKEP_MODELS: ${sources.file} cannot be read (${code ?? String(error)})`,
      hint,
    });
  });
  const file = text === undefined ? {} : parse(text, sources.file);
  const named = Object.entries(file.providers ?? {}).map(([name, provider]) => withKey(name, provider, sources));
  const names = new Set(named.map(({ name }) => name));
  return {
    providers: [...wellKnown(sources).filter(({ name }) => !names.has(name)), ...named],
    aliases: new Map(Object.entries(file.aliases ?? {})),
    prices: new Map(Object.entries(file.prices ?? {}).map(([name, price]) => [name, toOwnPrice(price, sources.today)])),
    file: sources.file,
  };
}

const hint = 'The form of the file is in docs/configuration.md';

const baseUrls = {
  anthropic: 'https://api.anthropic.com/v1',
  openai: 'https://api.openai.com/v1',
  gemini: 'https://generativelanguage.googleapis.com/v1beta',
} as const;

function wellKnown({ keys }: ModelSources): readonly ProviderSettings[] {
  const each = (kind: keyof typeof baseUrls, keyVariable: WellKnownKey): readonly ProviderSettings[] => {
    const key = keys[keyVariable];
    return key === undefined ? [] : [{ name: kind, kind, wires: wiresOfKind[kind], baseUrl: baseUrls[kind], key, keyVariable }];
  };
  return [...each('anthropic', 'ANTHROPIC_API_KEY'), ...each('openai', 'OPENAI_API_KEY'), ...each('gemini', 'GEMINI_API_KEY')];
}

const target = z
  .string()
  .max(200)
  .refine(name => parseTarget(name) !== undefined, 'names a model as provider/model');
/** USD per million tokens; the dearest model known costs 600. */
const usd = z.number().min(0).max(1_000_000);
const price = z.strictObject({
  input: usd,
  output: usd,
  cached: usd.optional(),
  cache_write: usd.optional(),
  output_tokens_max: z.int().min(1).max(10_000_000).optional(),
});
const name = z.string().regex(/^[a-z0-9][a-z0-9_-]{0,49}$/, 'small letters, digits, - and _');
const provider = z.strictObject({
  kind: z.enum(['anthropic', 'openai', 'gemini', 'openai-compatible']),
  base_url: z.url({ protocol: /^https?$/ }).optional(),
  key_env: z
    .string()
    .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'the name of an environment variable')
    .optional(),
  wires: z
    .array(z.enum(['anthropic', 'chat', 'responses', 'gemini']))
    .min(1)
    .optional(),
});
const modelsFile = z.strictObject({
  providers: z.record(name, provider).optional(),
  aliases: z.record(name, z.array(target).min(1).max(10)).optional(),
  prices: z.record(target, price).optional(),
});

function parse(text: string, file: string): z.infer<typeof modelsFile> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    const { line, column, reason, excerpt } = locateJsonFault(text);
    throw new Fault('invalid_config', { message: `${file}:${line}:${column}: ${reason}\n${excerpt}`, hint });
  }
  const parsed = modelsFile.safeParse(value);
  if (parsed.success) return parsed.data;
  const messages = parsed.error.issues
    .slice(0, issuesMax)
    .map(({ path, message }) => `${file}:${placeOf(text, path)}: ${path.join('.')}: ${message}`);
  throw new Fault('invalid_config', { message: messages.join('\n'), hint });
}

const issuesMax = 10;

/** Line and column of a field, or of what should have it. */
function placeOf(text: string, path: readonly PropertyKey[]): string {
  const root = parseTree(text);
  const steps = path.map(step => (typeof step === 'symbol' ? String(step) : step));
  let node = root;
  for (let length = steps.length; length > 0 && root !== undefined; length--) {
    node = findNodeAtLocation(root, steps.slice(0, length));
    if (node !== undefined) break;
  }
  const before = text.slice(0, (node ?? root)?.offset ?? 0).split('\n');
  return `${before.length}:${(before.at(-1) ?? '').length + 1}`;
}

function withKey(
  name: string,
  { kind, base_url, key_env, wires }: z.infer<typeof provider>,
  { file, variable }: ModelSources,
): ProviderSettings {
  const at = `${file}: providers.${name}`;
  if (base_url === undefined && kind === 'openai-compatible') {
    throw new Fault('invalid_config', {
      message: `${at}.base_url: is missing`,
      hint: 'Such as "http://127.0.0.1:11434/v1" for Ollama',
    });
  }
  const foreign = wires?.find(wire => !wiresOfKind[kind].includes(wire));
  if (foreign !== undefined)
    throw new Fault('invalid_config', { message: `${at}.wires: ${kind} does not speak ${foreign}`, hint });
  const key = key_env === undefined ? null : variable(key_env);
  if (key === undefined) {
    throw new Fault('invalid_config', {
      message: `${at}.key_env: ${key_env} is not set, or is no key`,
      hint: `Set ${key_env} in the environment of the server, without spaces or line breaks, or take key_env out`,
    });
  }
  const baseUrl = withVersion(base_url ?? (kind === 'openai-compatible' ? '' : baseUrls[kind]), kind);
  return { name, kind, wires: wires ?? wiresOfKind[kind], baseUrl, key, keyVariable: key_env ?? null };
}

/** People write the base URL of Anthropic and Gemini without a version, as their own clients take it. */
function withVersion(baseUrl: string, kind: ProviderKind): string {
  const url = baseUrl.replace(/\/+$/, '');
  if (kind !== 'anthropic' && kind !== 'gemini') return url;
  return /\/v\d+(beta\d*)?$/.test(url) ? url : `${url}/${kind === 'gemini' ? 'v1beta' : 'v1'}`;
}

/** What is not said of the cache is counted as plain input: never less than it may cost. */
function toOwnPrice({ input, output, cached, cache_write, output_tokens_max }: z.infer<typeof price>, asOf: string): OwnPrice {
  const micro = (value: number) => Math.ceil(value * 1_000_000);
  return {
    input: micro(input),
    output: micro(output),
    cached: micro(cached ?? input),
    cacheWrite: micro(cache_write ?? input),
    asOf,
    outputTokensMax: output_tokens_max ?? null,
  };
}
