import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { answers } from '../../test/harness/model-answers.ts';
import { startTestGateway, type TestGateway } from '../../test/harness/gateway.ts';
import { cut, hang, mute } from '../../test/harness/scripted-model.ts';
import type { Wire } from './upstream.ts';

const wires: readonly Wire[] = ['anthropic', 'chat', 'responses', 'gemini'];
const usage = { inputTokens: 8, outputTokens: 7, cachedTokens: 3, cacheWriteTokens: 0 };

let at: TestGateway;
beforeAll(async () => {
  at = await startTestGateway({ timeouts: { firstByteMs: 300, betweenBytesMs: 300 } });
});
afterAll(() => at.close());
afterEach(() => at.stages.sql('update runs set halt = null'));

describe('an answer', () => {
  test.each(wires)('%s: a stream is passed on byte for byte, and metered', async wire => {
    at.local.answer({ parts: answers[wire].events });
    const answer = await at.askWire(wire);
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'text/event-stream']);
    const hiddenUsage =
      wire === 'chat' ? answers.chat.events.filter(event => !event.includes('"choices":[]')) : answers[wire].events;
    expect(await answer.text()).toBe(hiddenUsage.join(''));
    expect(at.settlements.at(-1)).toMatchObject({
      state: 'completed',
      status: 200,
      errorClass: null,
      attempts: 1,
      provider: 'local',
      model: 'm',
      usage,
    });
    // 8 × 1 + 7 × 2 + 3 × 0.1 USD per million tokens, rounded up.
    expect(at.settlements.at(-1)?.costMicroUsd).toBe(23);
  });

  test.each(wires)('%s: so is one in one piece', async wire => {
    at.local.answer({ parts: [answers[wire].whole] });
    const answer = await at.askWire(wire, { isStream: false });
    expect([answer.status, await answer.text()]).toEqual([200, answers[wire].whole]);
    expect(at.settlements.at(-1)).toMatchObject({ state: 'completed', attempts: 1, usage, costMicroUsd: 23 });
  });
});

describe('a status', () => {
  test.each([
    [500, 3, 502, 'server'],
    [502, 3, 502, 'server'],
    [503, 4, 529, 'overloaded'],
    [529, 4, 529, 'overloaded'],
    [429, 4, 429, 'rate_limit'],
    [408, 2, 504, 'timeout'],
    [301, 2, 502, 'malformed'],
  ])('%i is tried again, %i times in all, and given as %i', async (...[status, attempts, given, errorClass]) => {
    const asked = at.local.requests.length;
    at.local.answer(
      { status, parts: ['{"type":"error","error":{"type":"x","message":"no"}}'] },
      { status, headers: { location: 'http://127.0.0.1:1/' } },
    );
    const answer = await ask(`s${status}`);
    expect([answer.status, at.local.requests.length - asked]).toEqual([given, attempts]);
    expect(at.settlements.at(-1)).toMatchObject({
      state: 'failed',
      status,
      errorClass,
      attempts,
      usage: { inputTokens: 0, outputTokens: 0 },
    });
    expect(await at.haltOf()).toBeNull();
  });

  test.each([400, 404, 413, 422])('%i is the provider’s word to the client, and is not tried again', async status => {
    const body = '{"type":"error","error":{"type":"invalid_request_error","message":"messages: wrong"}}';
    at.local.answer({ status, parts: [body] });
    const asked = at.local.requests.length;
    const answer = await ask('bad');
    expect([answer.status, await answer.text(), at.local.requests.length - asked]).toEqual([status, body, 1]);
    expect(at.settlements.at(-1)).toMatchObject({ state: 'failed', status, errorClass: 'bad_request', attempts: 1 });
  });

  test.each([401, 403])('%i ends the run: it says which key to check, and never the key', async status => {
    at.local.answer({ status, parts: ['{"error":{"message":"bad key sk-local-secret"}}'] });
    const answer = await ask('auth');
    const text = await answer.text();
    expect(answer.status).toBe(403);
    expect(text).toContain('check LOCAL_KEY');
    expect(text).not.toContain('sk-local-secret');
    const halt = await at.haltOf();
    expect(halt).toMatchObject({ kind: 'model' });
    expect(halt?.message).toContain('LOCAL_KEY');
    expect(halt?.message).not.toContain('secret');
  });

  test('a key that a provider says back is taken out', async () => {
    at.local.answer(request => ({
      status: 400,
      parts: [JSON.stringify({ error: { message: `you sent ${request.headers.authorization}` } })],
    }));
    expect(await (await ask('echo')).text()).toBe('{"error":{"message":"you sent Bearer [key]"}}');
  });

  test.each([
    [402, '{"error":{"message":"pay"}}', 'billing'],
    [429, '{"error":{"message":"You exceeded your current quota","code":"insufficient_quota"}}', 'spend_limit'],
    [400, '{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low"}}', 'billing'],
  ])('%i that waiting does not mend is given as 402 and ends the run: %s', async (status, body, errorClass) => {
    at.local.answer({ status, parts: [body] });
    const answer = await ask(`pay${errorClass}`);
    expect(answer.status).toBe(402);
    expect(at.settlements.at(-1)).toMatchObject({ errorClass, attempts: 1, status });
    expect(await at.haltOf()).toMatchObject({ kind: 'model' });
  });

  test('429 with retry-after is waited for, no less than it says', async () => {
    at.local.answer({ status: 429, headers: { 'retry-after-ms': '300' } }, { parts: answers.anthropic.events });
    const began = performance.now();
    const answer = await ask('wait');
    await answer.text();
    expect(performance.now() - began).toBeGreaterThanOrEqual(295);
    expect(at.settlements.at(-1)).toMatchObject({ state: 'completed', attempts: 2, usage });
  });

  test('a longer one than a call waits is the client’s to wait', async () => {
    at.local.answer({ status: 429, headers: { 'retry-after': '30' } });
    const answer = await ask('long');
    expect([answer.status, answer.headers.get('retry-after'), at.settlements.at(-1)?.attempts]).toEqual([429, '30', 1]);
    // Who comes next is told without the provider being asked.
    const asked = at.local.requests.length;
    const next = await ask('long');
    expect([next.status, Number(next.headers.get('retry-after')) > 28, at.local.requests.length - asked]).toEqual([429, true, 0]);
    expect(at.settlements.at(-1)).toMatchObject({ state: 'failed', attempts: 0 });
  });

  test('success after failures is one call with all its attempts', async () => {
    at.local.answer({ status: 500 }, { status: 529 }, { parts: answers.anthropic.events });
    const answer = await ask('mixed');
    expect([answer.status, (await answer.text()).endsWith(answers.anthropic.events.at(-1) ?? '?')]).toEqual([200, true]);
    expect(at.settlements.at(-1)).toMatchObject({ state: 'completed', attempts: 3, usage });
    const [row] = await at.stages.sql<{ attempts: number; state: string }>(
      "select attempts, state from model_calls where model = 'mixed'",
    );
    expect(row).toEqual({ attempts: 3, state: 'completed' });
  });

  test('limits of headers are kept: who has used its last request is not asked before the reset', async () => {
    const reset = new Date(Date.now() + 700).toISOString();
    const headers = { 'anthropic-ratelimit-requests-remaining': '0', 'anthropic-ratelimit-requests-reset': reset };
    at.local.answer({ headers, parts: answers.anthropic.events }, { parts: answers.anthropic.events });
    await (await ask('held')).text();
    await (await ask('held')).text();
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(reset));
    expect(at.settlements.at(-1)).toMatchObject({ state: 'completed', attempts: 1 });
  });
});

describe('a connection', () => {
  test('that is refused is tried again and given as 502', async () => {
    const elsewhere = await startTestGateway({ extra: [] });
    await elsewhere.local.close();
    const answer = await elsewhere.askWire('anthropic');
    expect([answer.status, ((await answer.json()) as { error: { message: string } }).error.message]).toEqual([
      502,
      'The model local/m gave no answer: nobody listens there (ECONNREFUSED)',
    ]);
    expect(elsewhere.settlements.at(-1)).toMatchObject({ state: 'failed', errorClass: 'connect', attempts: 3, status: null });
    elsewhere.local.close = async () => {};
    await elsewhere.close();
  });

  test('on which no head comes is given up in time', async () => {
    at.local.answer({ parts: [mute] });
    const answer = await ask('mute');
    expect(answer.status).toBe(504);
    const last = at.settlements.at(-1);
    expect(last).toMatchObject({ state: 'failed', errorClass: 'timeout', attempts: 2 });
    // Nobody knows what the provider did meanwhile: the prompt is counted, twice.
    expect(last?.usage.inputTokens).toBeGreaterThan(2 * 500);
  });

  test('that breaks before the first event is tried again', async () => {
    at.local.answer(
      { headers: { 'content-type': 'text/event-stream' }, parts: [cut] },
      { parts: [': hello\n\n', 'event: message_sta', cut] },
      { parts: answers.anthropic.events },
    );
    const answer = await ask('broken');
    expect(await answer.text()).toBe(answers.anthropic.events.join(''));
    expect(at.settlements.at(-1)).toMatchObject({ state: 'completed', attempts: 3 });
  });

  test('that falls silent in the middle ends in an error of the wire', async () => {
    at.local.answer({ parts: [...answers.anthropic.events.slice(0, 4), hang] });
    const { text, isCut } = await readAll(await ask('silent'));
    expect(isCut).toBe(true);
    expect(text).toContain('event: error\ndata: {"type":"error","error":{"type":"api_error"');
    expect(at.settlements.at(-1)).toMatchObject({
      state: 'incomplete',
      errorClass: 'timeout',
      usage: { inputTokens: 8, cachedTokens: 3 },
    });
  });
});

describe('inside a 200', () => {
  test.each(wires)('%s: an error as first event is tried again', async wire => {
    at.local.answer({ parts: [answers[wire].overloaded] }, { parts: answers[wire].events });
    const answer = await at.askWire(wire, { model: `local/first-${wire}` });
    expect(await answer.text()).not.toContain('Overloaded');
    expect(at.settlements.at(-1)).toMatchObject({ state: 'completed', attempts: 2 });
  });

  test.each(wires)('%s: an error that stays is given with its status', async wire => {
    at.local.answer({ parts: [answers[wire].overloaded] });
    const answer = await at.askWire(wire, { model: `local/stays-${wire}` });
    expect(answer.status).toBe(wire === 'anthropic' ? 529 : 503);
    expect(JSON.stringify(await answer.json())).toContain('gave no answer: Overloaded');
    expect(at.settlements.at(-1)).toMatchObject({ state: 'failed', errorClass: 'overloaded', attempts: 4, status: 200 });
  });

  test.each(wires)('%s: an error in the middle is passed on, and the answer is not whole', async wire => {
    const begun = answers[wire].unfinished.slice(0, 2);
    at.local.answer({ parts: [...begun, answers[wire].overloaded] });
    const answer = await at.askWire(wire);
    expect(await answer.text()).toBe([...begun, answers[wire].overloaded].join(''));
    expect(at.settlements.at(-1)).toMatchObject({ state: 'incomplete', errorClass: 'overloaded' });
  });

  test.each(wires)('%s: an end before the terminal event is an error, and no end of the answer', async wire => {
    at.local.answer({ parts: answers[wire].unfinished });
    const { text, isCut } = await readAll(await at.askWire(wire));
    expect([isCut, text.includes('broke off: it ended before it was whole')]).toEqual([true, true]);
    expect(at.settlements.at(-1)).toMatchObject({ state: 'incomplete', errorClass: 'cut_off' });
  });

  test('an event that is no JSON is not passed on', async () => {
    at.local.answer({
      parts: [...answers.anthropic.events.slice(0, 4), 'event: content_block_delta\ndata: {"type":"content_blo\n\n'],
    });
    const { text, isCut } = await readAll(await ask('garbled'));
    expect([isCut, text.includes('"content_blo\n')]).toEqual([true, false]);
    expect(at.settlements.at(-1)).toMatchObject({ state: 'incomplete', errorClass: 'malformed' });
  });

  test.each([
    ['a page', { headers: { 'content-type': 'text/html' }, parts: ['<html>'] }],
    ['no JSON', { headers: { 'content-type': 'text/event-stream' }, parts: ['data: {"a\n\n'] }],
    ['nothing', { headers: { 'content-type': 'text/event-stream' }, parts: [] }],
  ])('%s instead of a stream is tried again and given as 502', async (name, reply) => {
    at.local.answer(reply);
    const answer = await ask(`odd-${name.replaceAll(' ', '')}`);
    expect(answer.status).toBe(502);
    expect(at.settlements.at(-1)).toMatchObject({ state: 'failed', status: 200 });
  });

  test.each(['', '{', '[]', '{"type":"message"}', 'null', '{"type":"message","stop_reason":null}'])(
    '%j instead of a message is none',
    async text => {
      at.local.answer({ parts: [text] });
      const answer = await at.ask('/gateway/v1/messages', { model: `local/whole${text.length}`, max_tokens: 10, messages: [] });
      expect(answer.status).toBe(502);
      expect(at.settlements.at(-1)).toMatchObject({ state: 'failed', errorClass: 'malformed', attempts: 2 });
    },
  );
});

/** One model each, so that no breaker opens for the next test. */
function ask(model: string): Promise<Response> {
  return at.askWire('anthropic', { model: `local/${model}` });
}

async function readAll(answer: Response): Promise<{ text: string; isCut: boolean }> {
  let text = '';
  const decoder = new TextDecoder();
  try {
    for await (const chunk of answer.body as unknown as AsyncIterable<Uint8Array>)
      text += decoder.decode(chunk, { stream: true });
    return { text, isCut: false };
  } catch {
    return { text, isCut: true };
  }
}
