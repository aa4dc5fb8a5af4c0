import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestGateway, type TestGateway } from '../../test/harness/gateway.ts';
import { answers, askOf } from '../../test/harness/model-answers.ts';
import { createToken } from '../support/access/index.ts';
import { mute } from '../../test/harness/scripted-model.ts';
import type { Wire } from './upstream.ts';

const wires: readonly Wire[] = ['anthropic', 'chat', 'responses', 'gemini'];
/** Where each wire says what was wrong. */
const messageOf = (body: unknown): string => (body as { error: { message: string } }).error.message;

let at: TestGateway;
beforeAll(async () => {
  at = await startTestGateway({ aliases: { fast: ['local/m'] } });
  at.local.answer({ parts: [answers.chat.whole] });
});
afterAll(() => at.close());

describe('who may ask', () => {
  test('the token counts in each of the headers in which the wires’ clients put their key, and nowhere else', async () => {
    const get = (path: string, headers: Record<string, string> = {}) =>
      fetch(at.url + path, { headers }).then(answer => answer.status);
    const path = '/gateway/v1/models';
    for (const headers of [
      { authorization: `Bearer ${at.runToken}` },
      { 'x-api-key': at.runToken },
      { 'x-goog-api-key': at.runToken },
    ])
      expect([headers, await get(path, headers)]).toEqual([headers, 200]);
    for (const query of ['key', 'api_key', 'token'])
      expect([query, await get(`${path}?${query}=${at.runToken}`)]).toEqual([query, 401]);
    for (const headers of [{ cookie: `token=${at.runToken}` }, { authorization: at.runToken }, { 'x-run-token': at.runToken }])
      expect([headers, await get(path, headers)]).toEqual([headers, 401]);
  });

  test('a token of the API, an unknown one and one of an ended run are 401 in the shape of the wire, before the body is read', async () => {
    const { secret } = await at.stages.app(tx => createToken(tx, { name: 'a', role: 'admin' }));
    const { run, runToken } = await at.stages.claimNew();
    await at.stages.expire(run.id);
    for (const token of [secret, 'skeprun_unknown', runToken, '']) {
      for (const wire of wires) {
        const { path } = askOf(wire);
        const answer = await fetch(at.url + path, {
          method: 'POST',
          headers: { authorization: `Bearer ${token}` },
          body: '{"not',
        });
        expect([wire, answer.status]).toEqual([wire, 401]);
        expect(messageOf(await answer.json())).toMatch(/run token/);
      }
    }
    expect(at.local.requests).toHaveLength(0);
  });

  test('the base URL answers everyone, with nothing', async () => {
    const answer = await fetch(`${at.url}/gateway`);
    expect([answer.status, await answer.text(), (await fetch(`${at.url}/gateway`, { method: 'HEAD' })).status]).toEqual([
      200,
      '{}',
      200,
    ]);
  });
});

describe('what is refused', () => {
  const bad: readonly (readonly [name: string, body: string | Uint8Array, status: number, says: RegExp])[] = [
    ['nothing', '', 400, /not valid JSON: line 1, column 1: it is empty/],
    ['no JSON', '{"model": "local/m",\n "messages": [}', 400, /line 2, column 15/],
    [
      'invalid UTF-8',
      Buffer.concat([Buffer.from('{"model":"'), Buffer.from([0xff, 0xfe]), Buffer.from('"}')]),
      400,
      /not valid UTF-8/,
    ],
    ['a list', '[]', 400, /not a JSON object/],
    ['no model', '{}', 400, /model: the name of a model is missing/],
    ['a model of another kind', '{"model":7}', 400, /model: the name of a model is missing/],
    ['a name with a line break', '{"model":"a\\nb"}', 400, /model: the name of a model is missing/],
    [
      'an unknown model',
      '{"model":"nobody"}',
      404,
      /There is no model "nobody". There are models of local\/…, spare\/…, and the aliases fast/,
    ],
    ['an unknown provider', '{"model":"nobody/x"}', 404, /There is no model provider "nobody"/],
    ['a model whose key is not set', '{"model":"claude-opus-5"}', 422, /Set ANTHROPIC_API_KEY in the environment of the server/],
    [
      'a hundred thousand brackets',
      `{"model":"local/m","messages":${'['.repeat(100_000)}${']'.repeat(100_000)}}`,
      400,
      /nested deeper/,
    ],
  ];

  test.each(bad)('%s', async (...[, body, status, says]) => {
    for (const path of ['/gateway/v1/messages', '/gateway/v1/chat/completions', '/gateway/v1/responses']) {
      const answer = await at.ask(path, body);
      expect([path, answer.status]).toEqual([path, status]);
      expect(messageOf(await answer.json())).toMatch(says);
    }
  });

  test('what its price does not cover, or could not be seen', async () => {
    for (const [path, more, says] of [
      ['/gateway/v1/messages', { speed: 'fast' }, /speed "fast"/],
      ['/gateway/v1/chat/completions', { service_tier: 'priority' }, /service_tier "priority"/],
      ['/gateway/v1/chat/completions', { modalities: ['text', 'audio'] }, /Spoken answers/],
      ['/gateway/v1/responses', { background: true }, /background/],
      ['/gateway/v1/responses', { previous_response_id: 'r' }, /previous_response_id/],
      ['/gateway/v1beta/models/local/m:generateContent', { cachedContent: 'c' }, /cachedContent/],
    ] as const) {
      const answer = await at.ask(path, { model: 'local/m', ...more });
      expect([path, answer.status]).toEqual([path, 400]);
      expect(messageOf(await answer.json())).toMatch(says);
    }
    expect((await at.ask('/gateway/v1beta/models/local/m:streamGenerateContent', {})).status).toBe(400);
    expect((await at.ask('/gateway/v1beta/models/local/m:embedContent', {})).status).toBe(404);
    expect((await at.ask('/gateway/v1/embeddings', {})).status).toBe(404);
  });

  test('the model of the run’s own agent, when there is none, ends the run; another one does not', async () => {
    await at.stages.sql(`update projects set agent = '{"kind":"codex","model":"gone"}'`);
    await at.ask('/gateway/v1/responses', { model: 'helper' });
    expect(await at.haltOf()).toBeNull();
    await at.ask('/gateway/v1/responses', { model: 'gone' });
    expect(await at.haltOf()).toMatchObject({
      kind: 'model',
      message: expect.stringContaining('There is no model "gone"') as string,
    });
    await at.stages.sql('update runs set halt = null');
  });

  test('a body of 100 MB, before it has come', async () => {
    const { hostname, port } = new URL(at.url);
    const heard = await new Promise<string>(resolve => {
      const socket = connect({ host: hostname, port: Number(port) });
      let text = '';
      socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
      socket.on('error', () => {});
      socket.once('close', () => resolve(text));
      socket.write(
        `POST /gateway/v1/messages HTTP/1.1\r\nhost: x\r\nx-api-key: ${at.runToken}\r\ncontent-length: 100000000\r\n\r\n{"model":"`,
      );
      AbortSignal.timeout(1_000).addEventListener('abort', () => socket.destroy());
    });
    expect(heard).toMatch(/^HTTP\/1.1 413 /);
    expect(heard).toContain('"type":"request_too_large"');
  });

  test('and one of 100 MB that does not say its length', async () => {
    async function* flood(): AsyncGenerator<Uint8Array> {
      for (let i = 0; i < 100; i++) yield Buffer.alloc(1_000_000, 97);
    }
    const answer = fetch(`${at.url}/gateway/v1/responses`, {
      method: 'POST',
      headers: { 'x-api-key': at.runToken },
      body: ReadableStream.from(flood()),
      duplex: 'half',
    });
    // The connection is closed while the client still writes: it may see the answer, or the end.
    const status = await answer.then(
      ({ status }) => status,
      () => 413,
    );
    expect(status).toBe(413);
    expect(at.local.requests).toHaveLength(0);
  });
});

describe('what goes to the provider', () => {
  test('is the body with the provider’s own name of the model, its key, and of the client nothing but the versions of the wire', async () => {
    at.local.answer({ parts: [answers.anthropic.whole] });
    const body = {
      model: 'fast',
      max_tokens: 5,
      messages: [{ role: 'user', content: 'naïve 💡' }],
      base_url: 'http://127.0.0.1:1',
      metadata: { user_id: 'u' },
    };
    const answer = await at.ask('/gateway/v1/messages?base_url=http://127.0.0.1:1&beta=true', body, {
      ...{ 'anthropic-version': '2023-06-01', 'anthropic-beta': 'interleaved-thinking-2025-05-14' },
      ...{
        'x-forwarded-host': 'evil.test',
        'x-skep-upstream': 'evil',
        'x-skep-provider': 'spare',
        forwarded: 'host=evil.test',
        cookie: 'a=b',
      },
    });
    expect(answer.status).toBe(200);
    const [sent] = at.local.requests.slice(-1);
    expect(sent?.body).toEqual({ ...body, model: 'm' });
    expect(sent?.headers).toEqual({
      host: new URL(at.local.url).host,
      connection: 'keep-alive',
      'content-type': 'application/json',
      accept: 'application/json',
      'accept-encoding': 'identity',
      'user-agent': 'skep',
      'anthropic-version': '2023-06-01',
      'anthropic-beta': 'interleaved-thinking-2025-05-14',
      authorization: 'Bearer sk-local-secret',
      'content-length': String(Buffer.byteLength(sent?.text ?? '')),
    });
    expect(JSON.stringify(sent)).not.toContain(at.runToken);
    expect(at.spare.requests).toHaveLength(0);
  });

  test('what a provider says of itself does not come to the client', async () => {
    at.local.answer({
      headers: { 'request-id': 'req_1', 'set-cookie': 'a=b', 'x-secret': 's', 'anthropic-organization-id': 'o' },
      parts: [answers.chat.whole],
    });
    const answer = await at.askWire('chat', { isStream: false });
    expect([...answer.headers.keys()].filter(name => !['connection', 'date', 'keep-alive'].includes(name)).sort()).toEqual([
      'content-length',
      'content-type',
      'request-id',
    ]);
  });
});

test('tokens are counted without being reserved or settled', async () => {
  const settled = at.settlements.length;
  at.local.answer({ parts: ['{"input_tokens":14}'] });
  const answer = await at.ask('/gateway/v1/messages/count_tokens', { model: 'local/m', messages: [] });
  expect([answer.status, await answer.json()]).toEqual([200, { input_tokens: 14 }]);
  for (const path of ['models/local%2Fm', 'models/local/m', 'local/m']) {
    at.local.answer({ parts: ['{"totalTokens":14}'] });
    expect((await at.ask(`/gateway/v1beta/${path}:countTokens`, { contents: [] })).status).toBe(200);
  }
  at.local.answer({ status: 401 });
  expect((await at.ask('/gateway/v1/messages/count_tokens', { model: 'local/m', messages: [] })).status).toBe(403);
  await at.stages.sql('update runs set halt = null');
  expect([at.settlements.length, at.reservations.length]).toEqual([settled, settled]);
});

test('the models are listed by the names that a call may use, in each wire’s form', async () => {
  const get = async (path: string, headers: Record<string, string> = {}) =>
    (await fetch(at.url + path, { headers: { 'x-api-key': at.runToken, ...headers } })).json() as Promise<
      Record<string, { id: string; name: string }[]>
    >;
  const names = ['fast', 'local/m', 'spare/m'];
  expect((await get('/gateway/v1/models'))['data']?.map(({ id }) => id)).toEqual(names);
  expect((await get('/gateway/v1/models', { 'anthropic-version': '2023-06-01' }))['data']?.map(({ id }) => id)).toEqual(names);
  expect((await get('/gateway/v1beta/models'))['models']?.map(({ name }) => name)).toEqual(names.map(name => `models/${name}`));
});

test('a run has so many calls under way and no more', async () => {
  at.local.answer({ parts: [mute] });
  const leaving = new AbortController();
  const asked = at.local.requests.length;
  const { path, body } = askOf('chat');
  const ask = () =>
    fetch(at.url + path, {
      method: 'POST',
      headers: { 'x-api-key': at.runToken },
      body: JSON.stringify(body),
      signal: leaving.signal,
    });
  const sixteen = Array.from({ length: 16 }, () => ask().catch(() => undefined));
  await at.local.until(requests => requests.length - asked === 16);
  const more = await ask();
  expect([more.status, more.headers.get('retry-after')]).toEqual([429, '1']);
  leaving.abort();
  await Promise.all(sixteen);
});
