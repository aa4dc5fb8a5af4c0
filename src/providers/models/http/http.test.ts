import { createServer } from 'node:net';
import { once } from 'node:events';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { cut, hang, mute, type ScriptedModel, startScriptedModel } from '../../../../test/harness/scripted-model.ts';
import type { UpstreamCall, UpstreamError } from '../../../gateway/upstream.ts';
import { createHttpUpstream, type HttpUpstream, type HttpUpstreamOptions } from './index.ts';

const key = 'sk-secret-0123456789';
let model: ScriptedModel;
let opened: HttpUpstream[] = [];
beforeAll(async () => {
  model = await startScriptedModel();
});
beforeEach(() => model.answer({ parts: ['{}'] }));
afterAll(async () => {
  await Promise.all(opened.map(upstream => upstream.close()));
  await model.close();
});

function upstreamOf(options: Partial<HttpUpstreamOptions> = {}): HttpUpstream {
  const upstream = createHttpUpstream({
    name: 'p',
    kind: 'openai',
    wires: ['chat'],
    baseUrl: `${model.url}/v1`,
    key,
    ...options,
  });
  opened = [...opened, upstream];
  return upstream;
}

function callOf(more: Partial<UpstreamCall> = {}): UpstreamCall {
  const signal = new AbortController().signal;
  return {
    wire: 'chat',
    operation: 'generate',
    model: 'm/x',
    isStream: false,
    body: '{"a":"ü"}',
    headers: {},
    run: {} as never,
    signal,
    ...more,
  };
}

async function read(upstream: HttpUpstream, call = callOf()): Promise<string> {
  const { body } = await upstream.open(call);
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

const failureOf = async (what: Promise<unknown>): Promise<string> =>
  what.then(
    () => 'none',
    (error: unknown) => (error as UpstreamError).failure,
  );

describe('a request', () => {
  test.each([
    ['anthropic', {}, '/v1/messages', 'x-api-key', key],
    ['anthropic', { operation: 'count' }, '/v1/messages/count_tokens', 'x-api-key', key],
    ['openai', {}, '/v1/chat/completions', 'authorization', `Bearer ${key}`],
    ['openai', { wire: 'responses' }, '/v1/responses', 'authorization', `Bearer ${key}`],
    ['openai-compatible', {}, '/v1/chat/completions', 'authorization', `Bearer ${key}`],
    ['gemini', {}, '/v1/models/m%2Fx:generateContent', 'x-goog-api-key', key],
    ['gemini', { isStream: true }, '/v1/models/m%2Fx:streamGenerateContent?alt=sse', 'x-goog-api-key', key],
    ['gemini', { operation: 'count' }, '/v1/models/m%2Fx:countTokens', 'x-goog-api-key', key],
  ] as const)('%s %j goes to %s, with the key in %s alone', async (...[kind, more, path, header, value]) => {
    await read(upstreamOf({ kind }), callOf(more));
    const sent = model.requests.at(-1);
    expect([sent?.path, sent?.headers[header], sent?.text]).toEqual([path, value, '{"a":"ü"}']);
    expect(JSON.stringify({ ...sent, headers: { ...sent?.headers, [header]: '' } })).not.toContain(key);
    expect(sent?.headers['anthropic-version']).toBe(kind === 'anthropic' ? '2023-06-01' : undefined);
  });

  test('without a key none is sent, and the version that the client says goes before ours', async () => {
    await read(upstreamOf({ kind: 'anthropic', key: null }), callOf({ headers: { 'anthropic-version': '2099-01-01' } }));
    expect(model.requests.at(-1)?.headers).toMatchObject({ 'anthropic-version': '2099-01-01' });
    expect(model.requests.at(-1)?.headers).not.toHaveProperty('x-api-key');
  });

  test('a redirect is an answer like any other, and is not followed', async () => {
    model.answer({ status: 307, headers: { location: `${model.url}/elsewhere` } });
    const asked = model.requests.length;
    expect((await upstreamOf().open(callOf())).status).toBe(307);
    expect(model.requests.length - asked).toBe(1);
  });

  test('connections are kept', async () => {
    const upstream = upstreamOf();
    for (const _ of [1, 2, 3, 4, 5, 6]) await read(upstream);
    // Who reads the last byte may be sooner than the pool, which then makes a second one.
    expect(new Set(model.requests.slice(-6).map(({ port }) => port)).size).toBeLessThanOrEqual(2);
  });
});

describe('what does not come', () => {
  const quick = { connectMs: 200, firstByteMs: 200, betweenBytesMs: 200 };

  test('a head', async () => {
    model.answer({ parts: [mute] });
    expect(await failureOf(read(upstreamOf({ timeouts: quick })))).toBe('first_byte');
  });

  test('the rest of a body', async () => {
    model.answer({ parts: ['{"a"', hang] });
    expect(await failureOf(read(upstreamOf({ timeouts: quick })))).toBe('between_bytes');
  });

  test('a body whose connection breaks', async () => {
    model.answer({ parts: ['{"a"', cut] });
    expect(await failureOf(read(upstreamOf()))).toBe('cut_off');
  });

  test('anybody who listens', async () => {
    expect(await failureOf(read(upstreamOf({ baseUrl: 'http://127.0.0.1:1/v1' })))).toBe('connect');
  });

  test('TLS where TLS is asked for', async () => {
    const upstream = upstreamOf({ baseUrl: `${model.url.replace('http', 'https')}/v1` });
    const error = await read(upstream).catch((thrown: unknown) => thrown as Error);
    expect(String(error)).not.toContain(key);
    expect(['connect', 'cut_off']).toContain((error as UpstreamError).failure);
  });

  test('a connection that is taken and never answered', async () => {
    const silent = createServer(() => {});
    silent.listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as { port: number };
    expect(await failureOf(read(upstreamOf({ baseUrl: `https://127.0.0.1:${port}`, timeouts: quick })))).toBe('connect');
    silent.close();
  });
});

test('an answer has a maximum', async () => {
  const chunk = 'x'.repeat(8 * 1_048_576);
  model.answer({ parts: Array.from({ length: 9 }, () => chunk) });
  expect(await failureOf(read(upstreamOf()))).toBe('too_large');
});

test('the key is taken out of what a refusal says back', async () => {
  model.answer(({ headers }) => ({ status: 400, parts: [JSON.stringify(headers)] }));
  const said = await read(upstreamOf());
  expect(said).toContain('Bearer [key]');
  expect(said).not.toContain(key);
});

test('an abort ends the request with its own reason', async () => {
  model.answer({ parts: ['{"a"', hang] });
  const asked = model.requests.length;
  const leaving = new AbortController();
  const reason = new Error('the client is gone');
  const reading = read(upstreamOf(), callOf({ signal: leaving.signal }));
  await model.until(requests => requests.length > asked);
  leaving.abort(reason);
  await expect(reading).rejects.toBe(reason);
  await model.until(requests => requests.at(-1)?.isLeft === true);
});

test('nor does an answer that is none say it, wherever its bytes are split', async () => {
  const text = `data: {"error":{"message":"Bearer ${key} and ${key}"}}\n\ndata: sk-secret-0\n\n`;
  const said = text.replaceAll(key, '[key]');
  for (let at = 1; at < text.length; at++) {
    model.answer({ parts: [text.slice(0, at), { waitMs: 1 }, text.slice(at)] });
    expect([at, await read(upstreamOf(), callOf({ isStream: true }))]).toEqual([at, said]);
  }
  model.answer({ parts: ['there are none'] });
  expect(await read(upstreamOf({ key: 'none' }))).toBe('there are none');
});

test('and nothing is held back but what may be its beginning', async () => {
  model.answer({ parts: ['data: 1\n\n', 'sk-', hang] });
  const { body } = await upstreamOf().open(callOf({ isStream: true }));
  for await (const chunk of body) {
    expect(Buffer.from(chunk).toString()).toBe('data: 1\n\n');
    break;
  }
});
