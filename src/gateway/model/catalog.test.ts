import { describe, expect, test } from 'vitest';
import { Fault } from '../../kernel/fault.ts';
import { type Catalog, type KnownProvider, modelOf, resolveModel, targetName, targetsNamed, usableModels } from './catalog.ts';
import type { Wire } from './wire.ts';

const provider = (
  name: string,
  kind: 'anthropic' | 'openai' | 'gemini' | 'openai-compatible',
  wires: readonly Wire[],
): [string, KnownProvider] => [name, { name, kind, wires, isRecorded: false, keyVariable: null, pricedAs: null }];

const catalog: Catalog = {
  providers: new Map([
    provider('anthropic', 'anthropic', ['anthropic']),
    provider('openai', 'openai', ['chat', 'responses']),
    provider('local', 'openai-compatible', ['chat']),
    [
      'recorded',
      { name: 'recorded', kind: null, wires: ['chat'], isRecorded: true, keyVariable: null, pricedAs: 'openai/gpt-5-codex' },
    ],
  ]),
  aliases: new Map([
    ['fast', ['anthropic/claude-haiku-4-5', 'openai/gpt-5-mini', 'local/qwen']],
    ['nowhere', ['gemini/gemini-2.5-pro']],
    ['gpt-mine', ['local/qwen']],
  ]),
  prices: new Map([
    ['local/qwen', { input: 1, output: 2, cached: 1, cacheWrite: 1, asOf: '2026-01-01', outputTokensMax: 8_192 }],
  ]),
  modelsFile: '/home/models.json',
};

const resolved = (name: string, wire: Wire) => resolveModel(catalog, name, wire).map(targetName);

function refusal(name: string, wire: Wire, of = catalog): string {
  try {
    resolveModel(of, name, wire);
    return 'none';
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return `${error.code}: ${error.message}. ${error.hint}`;
  }
}

describe('a name', () => {
  test.each([
    ['anthropic/claude-opus-5', 'anthropic', ['anthropic/claude-opus-5']],
    ['claude-opus-5', 'anthropic', ['anthropic/claude-opus-5']],
    ['gpt-5-codex', 'responses', ['openai/gpt-5-codex']],
    ['o3', 'chat', ['openai/o3']],
    ['local/some/model:tag', 'chat', ['local/some/model:tag']],
    // An alias goes before what a name looks like.
    ['gpt-mine', 'chat', ['local/qwen']],
    // Only those that speak the wire, in their order.
    ['fast', 'anthropic', ['anthropic/claude-haiku-4-5']],
    ['fast', 'chat', ['openai/gpt-5-mini', 'local/qwen']],
    ['recorded/demo', 'chat', ['recorded/demo']],
  ] as const)('%s over %s is %j', (name, wire, targets) => {
    expect(resolved(name, wire)).toEqual(targets);
  });

  test.each([
    [
      'mistral',
      'chat',
      /^unknown_model: There is no model "mistral". There are models of anthropic\/…, .*, and the aliases fast, nowhere, gpt-mine$/,
    ],
    ['nobody/m', 'chat', /^unknown_model: There is no model provider "nobody"/],
    ['nowhere', 'gemini', /^unknown_model: The model "nowhere" is an alias of models whose providers are not configured/],
    [
      'fast',
      'gemini',
      /^unknown_model: The model "fast" is not reached over Gemini generateContent. anthropic speaks Anthropic Messages; .*does not translate$/,
    ],
    [
      'gemini-2.5-pro',
      'gemini',
      /^no_model: .*Set GEMINI_API_KEY in the environment of the server, or name the provider in \/home\/models.json/,
    ],
    ['gemini/x', 'gemini', /^no_model: .*Set GEMINI_API_KEY/],
  ] as const)('%s over %s is refused with what helps', (name, wire, says) => {
    expect(refusal(name, wire)).toMatch(says);
  });

  test('where nothing is configured each way to do it is named', () => {
    const empty = { ...catalog, providers: new Map(), aliases: new Map() };
    expect(refusal('fast', 'chat', empty)).toBe(
      'no_model: No model provider is configured. Set ANTHROPIC_API_KEY, OPENAI_API_KEY or GEMINI_API_KEY in the environment of the server, or name a provider in /home/models.json, and start the server again',
    );
  });
});

test.each([
  ['fast', 'anthropic', ['anthropic/claude-haiku-4-5']],
  ['fast', 'responses', ['openai/gpt-5-mini']],
  ['fast', 'gemini', ['anthropic/claude-haiku-4-5', 'openai/gpt-5-mini', 'local/qwen']],
  ['fast', undefined, ['anthropic/claude-haiku-4-5', 'openai/gpt-5-mini', 'local/qwen']],
  ['nowhere', 'chat', []],
  ['nobody/m', 'chat', []],
] as const)('%s over %s may be asked of %j', (name, wire, targets) => {
  expect(targetsNamed(catalog, name, wire).map(targetName)).toEqual(targets);
});

describe('what is known of a model', () => {
  const priceOf = (name: string, tokens = 1_000) => {
    const [, provider = '', model = ''] = /^(\w+)\/(.+)$/.exec(name) ?? [];
    return modelOf(catalog, { provider, model })?.priceFor(tokens);
  };

  test('is the table’s, for dated versions too, and never that of another model', () => {
    expect(priceOf('anthropic/claude-haiku-4-5')).toMatchObject({
      input: 1_000_000,
      output: 5_000_000,
      cached: 100_000,
      cacheWrite: 1_250_000,
    });
    expect(priceOf('anthropic/claude-haiku-4-5-20251001')).toEqual(priceOf('anthropic/claude-haiku-4-5'));
    expect(priceOf('openai/gpt-5-2025-08-07')).toEqual(priceOf('openai/gpt-5'));
    for (const other of ['openai/gpt-5-pro', 'openai/gpt-5x', 'openai/constructor', 'anthropic/claude-opus-4-9'])
      expect([other, priceOf(other)]).toEqual([other, undefined]);
  });

  test('is the models file’s where it says it, and the pricing model’s of a recording', () => {
    expect(modelOf(catalog, { provider: 'local', model: 'qwen' })?.outputTokensMax).toBe(8_192);
    expect(priceOf('recorded/demo')).toEqual(priceOf('openai/gpt-5-codex'));
    expect(priceOf('local/other')).toBeUndefined();
  });

  test('a long prompt is dearer where it is', () => {
    expect([priceOf('openai/gpt-5.4', 272_000)?.input, priceOf('openai/gpt-5.4', 272_001)?.input]).toEqual([
      2_500_000, 5_000_000,
    ]);
    expect(priceOf('openai/gpt-5', 400_000)?.input).toBe(1_250_000);
  });

  test('every row is dated, whole and ordered', () => {
    for (const name of [...usableModels(catalog, 'anthropic'), ...usableModels(catalog, 'responses')]) {
      const price = priceOf(name);
      if (price === undefined) continue;
      expect([name, price.asOf]).toEqual([name, expect.stringMatching(/^2026-\d\d-\d\d$/)]);
      expect([name, Object.values(price).every(value => typeof value === 'string' || Number.isInteger(value))]).toEqual([
        name,
        true,
      ]);
      expect([name, price.cached <= price.input && price.input < price.output && price.input <= price.cacheWrite]).toEqual([
        name,
        true,
      ]);
    }
  });
});
