import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { Fault } from '../kernel/fault.ts';
import { type ModelSettings, readModels } from './configure.ts';

const folder = mkdtempSync(join(tmpdir(), 'skep-models-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let count = 0;

function read(
  content: unknown,
  keys: Record<string, string> = {},
  environment: Record<string, string> = {},
): Promise<ModelSettings> {
  const file = join(folder, `${++count}.json`);
  if (content !== undefined) writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content, null, 2));
  return readModels({ file, isRequired: false, keys, variable: name => environment[name], today: '2026-11-21' });
}

async function refusal(content: unknown): Promise<string> {
  try {
    await read(content);
    return 'none';
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return error.message.replaceAll(folder, '');
  }
}

test('a key alone makes its provider', async () => {
  const { providers } = await read(undefined, { ANTHROPIC_API_KEY: 'a', GEMINI_API_KEY: 'g' });
  expect(providers).toEqual([
    {
      ...{ name: 'anthropic', kind: 'anthropic', wires: ['anthropic'], baseUrl: 'https://api.anthropic.com/v1' },
      ...{ key: 'a', keyVariable: 'ANTHROPIC_API_KEY' },
    },
    {
      ...{ name: 'gemini', kind: 'gemini', wires: ['gemini'], baseUrl: 'https://generativelanguage.googleapis.com/v1beta' },
      ...{ key: 'g', keyVariable: 'GEMINI_API_KEY' },
    },
  ]);
});

test('the file names more, with prices in USD, and what it replaces gets no key of another name', async () => {
  const settings = await read(
    {
      providers: {
        local: { kind: 'openai-compatible', base_url: 'http://127.0.0.1:11434/v1/', wires: ['chat'] },
        router: { kind: 'openai-compatible', base_url: 'https://openrouter.ai/api/v1', key_env: 'ROUTER' },
        anthropic: { kind: 'anthropic', base_url: 'https://proxy.test' },
      },
      aliases: { fast: ['anthropic/claude-haiku-4-5', 'local/qwen3:8b'] },
      prices: { 'local/qwen3:8b': { input: 0.0000015, output: 2, output_tokens_max: 8192 } },
    },
    { ANTHROPIC_API_KEY: 'a' },
    { ROUTER: 'r' },
  );
  expect(settings.providers).toMatchObject([
    { name: 'local', baseUrl: 'http://127.0.0.1:11434/v1', wires: ['chat'], key: null },
    { name: 'router', key: 'r', keyVariable: 'ROUTER', wires: ['chat', 'responses'] },
    { name: 'anthropic', baseUrl: 'https://proxy.test/v1', key: null },
  ]);
  expect(settings.aliases.get('fast')).toEqual(['anthropic/claude-haiku-4-5', 'local/qwen3:8b']);
  expect(settings.prices.get('local/qwen3:8b')).toEqual({
    ...{ input: 2, output: 2_000_000, cached: 2, cacheWrite: 2 },
    ...{ asOf: '2026-11-21', outputTokensMax: 8_192 },
  });
});

test.each([
  ['{"providers": {\n  "a": {,}\n}}', /^\/\d+\.json:2:9: /],
  [{ providers: { a: { kind: 'ollama' } } }, /^\/\d+\.json:4:15: providers\.a\.kind: /],
  [{ providers: { a: { kind: 'openai', base_url: 'file:///etc/passwd' } } }, /:5:19: providers\.a\.base_url: /],
  [{ providers: { 'A b': { kind: 'openai' } } }, /: providers\.A b: /],
  [{ providers: { a: { kind: 'openai', key: 'sk-1' } } }, /:3:10: providers\.a: .*"key"/],
  [{ providers: { a: { kind: 'openai-compatible' } } }, /providers\.a\.base_url: is missing/],
  [{ providers: { a: { kind: 'openai', wires: ['anthropic'] } } }, /providers\.a\.wires: openai does not speak anthropic/],
  [{ providers: { a: { kind: 'openai', key_env: 'NOT_SET' } } }, /providers\.a\.key_env: NOT_SET is not set/],
  [{ aliases: { fast: ['claude'] } }, /:4:7: aliases\.fast\.0: names a model as provider\/model/],
  [{ aliases: { fast: [] } }, /aliases\.fast: /],
  [{ prices: { 'a/b': { input: -1, output: 1 } } }, /:4:16: prices\.a\/b\.input: /],
  [{ price: {} }, /:1:1: : .*"price"/],
])('%j is refused with its place', async (content, says) => {
  expect(await refusal(content)).toMatch(says);
});

test('a file that was asked for must be there', async () => {
  const sources = { isRequired: true, keys: {}, variable: () => undefined, today: '2026-11-21' };
  await expect(readModels({ file: join(folder, 'none.json'), ...sources })).rejects.toThrow(
    /SKEP_MODELS: .*none\.json cannot be read \(ENOENT\)/,
  );
});
