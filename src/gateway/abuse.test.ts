import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestGateway, type TestGateway } from '../../test/harness/gateway.ts';
import { answers, askOf } from '../../test/harness/model-answers.ts';
import { hang, mute, type Part } from '../../test/harness/scripted-model.ts';
import { systemClock } from '../kernel/clock.ts';
import { clientOf } from './client.ts';
import { createIntake } from './intake.ts';
import { estimateTokens } from './model/estimate.ts';
import { knownModel } from './model/prices.ts';
import type { Wire } from './upstream.ts';

let at: TestGateway;
beforeAll(async () => {
  at = await startTestGateway();
});
afterAll(() => at.close());

const messageOf = async (answer: Response) => ((await answer.json()) as { error: { message: string } }).error.message;
const user = (...content: readonly object[]) => [{ role: 'user', content }];
const contents = (...parts: readonly object[]) => ({ contents: [{ role: 'user', parts }] });

/** Ways past the sandbox or past what is counted, with the wire that has them. */
const refused: readonly (readonly [wire: Wire, body: object])[] = [
  [
    'anthropic',
    {
      tools: [
        { name: 'a', input_schema: {} },
        { type: 'web_search_20250305', name: 'web_search' },
      ],
    },
  ],
  ['anthropic', { tools: [{ type: 'web_fetch_20250910', name: 'web_fetch' }] }],
  ['anthropic', { tools: [{ type: 'code_execution_20250825', name: 'code' }] }],
  ['anthropic', { mcp_servers: [{ type: 'url', url: 'https://evil.test', name: 'x' }] }],
  ['anthropic', { container: 'c' }],
  ['anthropic', { inference_geo: 'us' }],
  ['anthropic', { context_management: { edits: [{ type: 'compact_20260112' }] } }],
  ['anthropic', { messages: user({ type: 'image', source: { type: 'url', url: 'https://evil.test/?data' } }) }],
  ['anthropic', { messages: user({ type: 'document', source: { type: 'file', file_id: 'f' } }) }],
  [
    'anthropic',
    { messages: user({ type: 'tool_result', content: [{ type: 'image', source: { type: 'url', url: 'http://evil.test' } }] }) },
  ],
  ['chat', { web_search_options: {} }],
  ['chat', { models: ['dear/one'] }],
  ['chat', { plugins: [{ id: 'web' }] }],
  ['chat', { provider: { order: ['x'] } }],
  ['chat', { api_base: 'https://evil.test' }],
  ['chat', { tools: [{ type: 'openrouter:web_search' }] }],
  ['chat', { service_tier: 'scale' }],
  ['chat', { n: '5' }],
  ['chat', { n: 0 }],
  ['chat', { n: 1_000 }],
  ['chat', { max_tokens: 100_000, max_completion_tokens: 1 }],
  ['chat', { messages: user({ type: 'image_url', image_url: { url: 'https://evil.test/?data' } }) }],
  ['chat', { messages: user({ type: 'file', file: { file_id: 'f' } }) }],
  ['responses', { tools: [{ type: 'web_search' }] }],
  ['responses', { tools: [{ type: 'mcp', server_url: 'https://evil.test' }] }],
  ['responses', { tools: [{ type: 'code_interpreter', container: { type: 'auto' } }] }],
  ['responses', { tools: [{ type: 'shell', environment: { type: 'container_auto' } }] }],
  ['responses', { tools: [{ type: 'namespace', name: 'n', tools: [{ type: 'mcp' }] }] }],
  ['responses', { input: [{ type: 'tool_search_output', tools: [{ type: 'file_search' }] }] }],
  ['responses', { input: [{ type: 'item_reference', id: 'i' }] }],
  ['responses', { input: user({ type: 'input_image', image_url: 'https://evil.test/?data' }) }],
  ['responses', { input: user({ type: 'input_file', file_url: 'https://evil.test/a.pdf' }) }],
  ['responses', { input: [{ type: 'function_call_output', output: [{ type: 'input_image', file_id: 'f' }] }] }],
  ['gemini', { tools: [{ functionDeclarations: [] }, { googleSearch: {} }] }],
  ['gemini', { tools: [{ urlContext: {} }] }],
  ['gemini', { cached_content: 'c' }],
  ['gemini', { service_tier: 'priority' }],
  ['gemini', { generation_config: { candidate_count: '8' } }],
  ['gemini', contents({ fileData: { fileUri: 'https://www.youtube.com/watch?v=x' } })],
  ['gemini', contents({ inline_data: { mime_type: 'audio/mp3', data: 'AAAA' } })],
];

test.each(refused)('%s refuses %j', async (wire, more) => {
  const asked = at.local.requests.length;
  const { path, body } = askOf(wire, { isStream: false });
  const answer = await at.ask(path, { ...body, ...more });
  expect([answer.status, at.local.requests.length - asked]).toEqual([400, 0]);
  expect(await messageOf(answer)).not.toBe('');
});

/** What agents send, and may. */
const taken: readonly (readonly [wire: Wire, body: object])[] = [
  [
    'anthropic',
    {
      tools: [
        { name: 'a', input_schema: {} },
        { type: 'bash_20250124', name: 'bash' },
      ],
      mcp_servers: [],
    },
  ],
  [
    'anthropic',
    {
      context_management: { edits: [{ type: 'clear_thinking_20251015' }] },
      messages: [
        ...user({ type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'AAAA' } }),
        { role: 'assistant', content: [{ type: 'tool_use', id: 't', name: 'fetch', input: { url: 'https://a.test' } }] },
      ],
    },
  ],
  ['chat', { n: 1, service_tier: 'auto', tools: [{ type: 'function', function: { name: 'a' } }] }],
  ['chat', { messages: user({ type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } }) }],
  [
    'responses',
    {
      tools: [
        { type: 'function', name: 'a' },
        { type: 'custom', name: 'apply_patch' },
        { type: 'local_shell' },
        { type: 'namespace', name: 'n', tools: [{ type: 'function', name: 'b' }] },
      ],
      input: [
        ...user({ type: 'input_image', image_url: 'data:image/png;base64,AAAA' }),
        { type: 'function_call', name: 'a', arguments: '{"url":"https://a.test"}', call_id: 'c' },
        { type: 'function_call_output', call_id: 'c', output: 'https://a.test' },
      ],
    },
  ],
  ['gemini', { tools: [{ functionDeclarations: [{ name: 'a' }] }] }],
  ['gemini', contents({ functionResponse: { name: 'a', response: { url: 'https://a.test' } } })],
];

test.each(taken)('%s takes %j', async (wire, more) => {
  at.local.answer({ parts: [answers[wire].whole] });
  const { path, body } = askOf(wire, { isStream: false });
  const answer = await at.ask(path, { ...body, ...more });
  expect([answer.status, await answer.text()]).toEqual([200, answers[wire].whole]);
});

describe('what is said in another way', () => {
  test('of Gemini is counted, and goes on in one way', async () => {
    at.local.answer({ parts: [answers.gemini.whole] });
    const generation_config = { candidate_count: 3, max_output_tokens: 90_000, temperature: 1 };
    await at.ask('/gateway/v1beta/models/local/m:generateContent', {
      ...contents({ text: 'x' }),
      model: 'models/dear',
      generation_config,
      generationConfig: { maxOutputTokens: 400 },
    });
    expect(at.reservations.at(-1)).toMatchObject({ outputTokens: 1_200 });
    expect(at.local.requests.at(-1)?.body).toEqual({
      ...contents({ text: 'x' }),
      generationConfig: { temperature: 1, maxOutputTokens: 400, candidateCount: 3 },
    });
  });

  test.each(['anthropic', 'chat', 'responses'] as const)(
    '%s: a stream is one where it is said as the gateway reads it',
    async wire => {
      for (const stream of ['true', 1]) {
        at.local.answer({ parts: [answers[wire].whole] });
        const { path, body } = askOf(wire, { isStream: false });
        expect((await at.ask(path, { ...body, stream })).status).toBe(200);
        expect(at.local.requests.at(-1)?.body['stream']).toBe(false);
      }
    },
  );

  test('a limit of 0 is no limit, and reserves the longest answer', async () => {
    at.local.answer({ parts: [answers.chat.whole] });
    await at.ask('/gateway/v1/chat/completions', { model: 'local/m', messages: [], max_tokens: 0 });
    expect(at.reservations.at(-1)).toMatchObject({ outputTokens: 4_000 });
  });

  test('words beside an image are counted, and digits one by one', () => {
    const words = 'x'.repeat(100_000);
    expect(estimateTokens({ messages: [{ role: 'user', content: words, url: 'https://a.test' }] })).toBeGreaterThan(50_000);
    expect(estimateTokens({ input: words, file_id: 'f' })).toBeGreaterThan(50_000);
    expect(estimateTokens({ input: '7'.repeat(100_000) })).toBeGreaterThan(100_000);
  });

  test('a dated version that was dearer has its own price', () => {
    expect(knownModel('openai', 'gpt-4o-2024-05-13')?.priceFor(1).output).toBe(15_000_000);
    expect(knownModel('openai', 'gpt-4o-2024-11-20')?.priceFor(1).output).toBe(10_000_000);
  });
});

describe('whoever hangs up while a model thinks', () => {
  /** Tokens of the answer that are counted where nothing was seen of it for a while. */
  async function countedAfter(parts: readonly Part[], isStream: boolean): Promise<number | undefined> {
    at.local.answer({ parts });
    const [asked, settled] = [at.local.requests.length, at.settlements.length];
    const leaving = new AbortController();
    const { path, body } = askOf('responses', { isStream });
    const headers = { 'x-api-key': at.runToken };
    const answer = fetch(at.url + path, { method: 'POST', headers, body: JSON.stringify(body), signal: leaving.signal });
    await at.local.until(requests => requests.length > asked);
    await systemClock.sleep(300);
    leaving.abort();
    await answer.catch(() => {});
    await expect.poll(() => at.settlements.length).toBe(settled + 1);
    return at.settlements.at(-1)?.usage.outputTokens;
  }

  test.each([
    ['a stream that has begun', [answers.responses.events[0] ?? '', hang], true],
    ['an answer in one piece', [mute], false],
  ] as const)('%s pays for what it may have thought', async (...[, parts, isStream]) => {
    const counted = await countedAfter(parts, isStream);
    expect(counted).toBeGreaterThan(50);
    expect(counted).toBeLessThanOrEqual(1_000);
  });

  test('a stream of which nothing has come does not', async () => {
    expect(await countedAfter([mute], true)).toBe(0);
  });
});

test('a call that is cut while it waits for its budget is told why, and nothing is settled', async () => {
  const short = await startTestGateway({ limits: { callMsMax: 100 } });
  await short.stages.sql(`insert into budgets (tenant_id, scope, scope_id, cap_tokens, reserved_tokens)
    select tenant_id, 'run', id::text, 100000, 99999 from runs where id = '${short.runId}'`);
  expect((await short.askWire('chat')).status).toBe(504);
  expect(short.settlements).toEqual([]);
  await short.close();
});

describe('bodies', () => {
  test('of ten million values are refused before they are read', async () => {
    const began = performance.now();
    const answer = await at.ask('/gateway/v1/messages', `{"model":"local/m","messages":[${'{},'.repeat(10_000_000)}{}]}`);
    expect([answer.status, await messageOf(answer)]).toEqual([400, 'The body has more than 500000 values']);
    // Reading it takes several times as long.
    expect(performance.now() - began).toBeLessThan(3_000);
    at.local.answer({ parts: [answers.anthropic.whole] });
    const text = JSON.stringify({
      model: 'local/m',
      max_tokens: 9,
      messages: [{ role: 'user', content: '[{,"\\'.repeat(200_000) }],
    });
    expect((await at.ask('/gateway/v1/messages', text)).status).toBe(200);
  });

  test('that are being sent count as calls under way, and are given back when their client is gone', async () => {
    const { hostname, port } = new URL(at.url);
    const half = () =>
      new Promise<Socket>(resolve => {
        const socket = connect({ host: hostname, port: Number(port) }, () => resolve(socket));
        socket.on('error', () => {});
        socket.write(
          `POST /gateway/v1/messages HTTP/1.1\r\nhost: x\r\nx-api-key: ${at.runToken}\r\ncontent-length: 1000\r\n\r\n{"model":`,
        );
      });
    const sixteen = await Promise.all(Array.from({ length: 16 }, half));
    const list = () =>
      fetch(`${at.url}/gateway/v1/models`, { headers: { 'x-api-key': at.runToken } }).then(({ status }) => status);
    await expect.poll(list).toBe(429);
    for (const socket of sixteen) socket.destroy();
    await expect.poll(list).toBe(200);
  });

  test('of a run, and of all, come to so many bytes at most', () => {
    const intake = createIntake();
    const large = 32 * 1_048_576;
    const over = [intake.enter('a', large), intake.enter('a', large)];
    expect(() => intake.enter('a', 1)).toThrow('The calls of a run that are under way');
    for (let i = 0; i < 14; i++) intake.enter(`b${i}`, large);
    expect(() => intake.enter('c', 1)).toThrow('The calls that are under way have');
    for (const leave of [...over, ...over]) leave();
    intake.enter('c', large);
    intake.enter('c', large);
    expect(() => intake.enter('d', 1)).toThrow('The calls that are under way have');
  });
});

test('a client that does not read its answer to the end is hung up on', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const asking = connect((server.address() as AddressInfo).port, '127.0.0.1').pause();
  asking.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
  const [, response] = (await once(server, 'request')) as [unknown, ServerResponse];
  const { client } = clientOf(response, systemClock);
  expect(response.socket?.timeout).toBe(0);
  client.answer(200, {}, 'x'.repeat(32_000_000));
  expect([response.socket?.timeout, response.writableFinished]).toEqual([120_000, false]);
  asking.destroy();
  server.close();
});

test('a request that no model could read is refused before anybody is asked or anything reserved', async () => {
  const asked = at.local.requests.length;
  const { path, body } = askOf('chat', { isStream: false });
  const answer = await at.ask(path, { ...body, messages: user({ type: 'text', text: 'ab '.repeat(4_000_000) }) });
  expect([answer.status, await messageOf(answer)]).toEqual([413, expect.stringContaining('more than any model can read')]);
  expect(at.local.requests.length).toBe(asked);
});
