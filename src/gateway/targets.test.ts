import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { startTestGateway, type TestGateway } from '../../test/harness/gateway.ts';
import { answers, askOf } from '../../test/harness/model-answers.ts';
import { setBudget } from '../support/budgets/index.ts';
import type { Upstream } from './upstream.ts';

/** A recording that does not fit what happened. */
const recorded: Upstream = {
  name: 'recorded',
  label: 'recorded demo',
  wires: ['responses'],
  isRecorded: true,
  pricedAs: 'openai/gpt-5-codex',
  open: async () => ({
    status: 422,
    headers: { 'skep-recording-mismatch': '1', 'content-type': 'application/json' },
    body: (async function* () {
      yield Buffer.from('{"error":{"message":"expected \\"fail 1\\", got \\"fail 2\\"","code":"recording_mismatch"}}');
    })(),
  }),
};

let at: TestGateway;
beforeAll(async () => {
  at = await startTestGateway({
    aliases: {
      both: ['local/m', 'spare/m'],
      three: ['gone/m', 'local/m', 'spare/m'],
      dear: ['local/m', 'spare/nobody-knows'],
      paced: ['local/paced', 'spare/paced'],
    },
    extra: [recorded],
  });
});
afterAll(() => at.close());
afterEach(() => at.stages.sql('update runs set halt = null'));

describe('an alias', () => {
  test('fails over when its first target stays broken, as one call', async () => {
    at.local.answer({ status: 500 });
    at.spare.answer({ parts: answers.anthropic.events });
    const answer = await at.askWire('anthropic', { model: 'both' });
    expect(await answer.text()).toBe(answers.anthropic.events.join(''));
    expect(at.settlements).toMatchObject([{ state: 'completed', provider: 'spare', model: 'm', attempts: 4 }]);
    // 8 × 5 + 7 × 2 + 3 × 0.1: at the price of who answered.
    expect(at.settlements[0]?.costMicroUsd).toBe(55);
    // Reserved is the dearest of both, in the name that each provider knows.
    expect(at.reservations[0]?.price).toMatchObject({ input: 5_000_000, output: 2_000_000 });
    expect(at.local.requests.at(-1)?.body['model']).toBe('m');
    expect(at.spare.requests.at(-1)?.headers.authorization).toBe('Bearer sk-spare-secret');
  });

  test('is passed over where its provider is not configured', async () => {
    at.local.answer({ parts: answers.chat.events });
    await (await at.askWire('chat', { model: 'three' })).text();
    expect(at.settlements.at(-1)).toMatchObject({ provider: 'local', attempts: 1 });
  });

  test('does not fail over for what is the fault of the request', async () => {
    at.local.answer({ status: 400, parts: ['{"error":{"message":"no"}}'] });
    const asked = at.spare.requests.length;
    expect((await at.askWire('chat', { model: 'both' })).status).toBe(400);
    expect(at.spare.requests.length).toBe(asked);
  });

  test('goes on with the next where the key of the first is refused; only all of them end the run', async () => {
    at.local.answer({ status: 401 });
    at.spare.answer({ parts: answers.chat.events }, { status: 403 });
    expect((await at.askWire('chat', { model: 'both' })).status).toBe(200);
    expect(await at.haltOf()).toBeNull();
    expect((await at.askWire('chat', { model: 'both' })).status).toBe(403);
    expect((await at.haltOf())?.message).toMatch(/check LOCAL_KEY.*check SPARE_KEY/s);
  });

  test('asks the next at once while the first is held back by its limits', async () => {
    const limits = { 'x-ratelimit-remaining-requests': '0', 'x-ratelimit-reset-requests': '1m0s' };
    at.local.answer({ headers: limits, parts: answers.chat.events });
    at.spare.answer({ parts: answers.chat.events });
    await (await at.askWire('chat', { model: 'paced' })).text();
    const asked = at.local.requests.length;
    await (await at.askWire('chat', { model: 'paced' })).text();
    expect([at.local.requests.length - asked, at.settlements.at(-1)?.provider]).toEqual([0, 'spare']);
  });
});

describe('the accounts', () => {
  test('a spent budget is 402 in the shape of the wire, and the run is held with its question', async () => {
    const questionId = '6f4b5f0e-1111-4222-8333-444455556666';
    for (const [wire, shape] of [
      ['anthropic', { type: 'error', error: { type: 'billing_error', message: 'The budget is spent' } }],
      ['chat', { error: { code: 'budget_spent', message: 'The budget is spent' } }],
      ['responses', { error: { code: 'budget_spent' } }],
      ['gemini', { error: { code: 402, status: 'FAILED_PRECONDITION' } }],
    ] as const) {
      at.decide({ kind: 'spent', message: 'The budget is spent', budgetId: questionId, questionId });
      const asked = at.local.requests.length;
      const answer = await at.askWire(wire);
      expect([wire, answer.status]).toEqual([wire, 402]);
      expect(await answer.json()).toMatchObject(shape);
      expect([wire, at.local.requests.length]).toEqual([wire, asked]);
    }
    expect(await at.haltOf()).toEqual({ kind: 'budget', message: 'The budget is spent', questionId });
  });

  test('what others hold is 429 with a time; a model without a price is 422', async () => {
    at.decide({ kind: 'busy', message: 'Others hold what is left' });
    const busy = await at.askWire('responses');
    expect([busy.status, busy.headers.get('retry-after')]).toEqual([429, '5']);
    at.decide({ kind: 'unpriced', message: 'The model spare/nobody-knows has no price' });
    expect((await at.askWire('responses', { model: 'dear' })).status).toBe(422);
    expect(at.reservations.at(-1)).toMatchObject({ provider: 'spare', model: 'nobody-knows', price: null });
    expect(await at.haltOf()).toBeNull();
  });

  test('the limit that is granted stands in the request, in the field of the wire', async () => {
    const { run, runToken } = await at.stages.claimNew();
    // At 1.25 and 2 USD per million some 550 tokens of prompt leave fewer than 1,000 of answer.
    await at.stages.app(tx => setBudget(tx, { scope: 'run', scopeId: run.id, capMicroUsd: 1_500, capTokens: null }));
    for (const [wire, limit] of [
      ['anthropic', (body: Record<string, unknown>) => body['max_tokens']],
      ['chat', (body: Record<string, unknown>) => body['max_tokens']],
      ['responses', (body: Record<string, unknown>) => body['max_output_tokens']],
      ['gemini', (body: Record<string, unknown>) => (body['generationConfig'] as Record<string, unknown>)['maxOutputTokens']],
    ] as const) {
      at.local.answer({ parts: answers[wire].events });
      const { path, body } = askOf(wire);
      const answer = await fetch(at.url + path, {
        method: 'POST',
        headers: { 'x-goog-api-key': runToken },
        body: JSON.stringify(body),
      });
      expect([wire, answer.status]).toEqual([wire, 200]);
      await answer.text();
      const sent = Number(limit(at.local.requests.at(-1)?.body ?? {}));
      expect([wire, sent > 256 && sent < 1_000]).toEqual([wire, true]);
    }
  });

  test('a limit that nobody said is written only where the model does not have it anyway', async () => {
    const bodies: unknown[] = [];
    for (const model of ['local/m', 'local/unknown']) {
      at.local.answer({ parts: answers.chat.events });
      await (await at.ask('/gateway/v1/chat/completions', { model, stream: true, messages: [] })).text();
      bodies.push(at.local.requests.at(-1)?.body);
    }
    expect(bodies).toEqual([
      { model: 'm', stream: true, messages: [], stream_options: { include_usage: true } },
      { model: 'unknown', stream: true, messages: [], stream_options: { include_usage: true }, max_tokens: 32_000 },
    ]);
    expect(at.reservations.slice(-2).map(({ outputTokens }) => outputTokens)).toEqual([4_000, 32_000]);
  });

  test('a prompt that is cached for an hour is reserved, and counted, at its price', async () => {
    const usage = {
      input_tokens: 1_000,
      cache_creation_input_tokens: 3_000,
      cache_creation: { ephemeral_1h_input_tokens: 2_000 },
      output_tokens: 1,
    };
    at.local.answer({ parts: [JSON.stringify({ type: 'message', stop_reason: 'end_turn', content: [], usage })] });
    const system = [{ type: 'text', text: 'x', cache_control: { type: 'ephemeral', ttl: '1h' } }];
    await at.ask('/gateway/v1/messages', { model: 'local/m', max_tokens: 10, system, messages: [] });
    expect(at.reservations.at(-1)?.price).toMatchObject({ input: 1_000_000, cacheWrite: 2_000_000 });
    // 1,000 × 1 + 1,000 × 1.25 + 2,000 × 2 + 1 × 2.
    expect(at.settlements.at(-1)).toMatchObject({ costMicroUsd: 6_252, usage: { cacheWriteTokens: 3_000 } });
  });

  test('several answers to one request are reserved for each', async () => {
    at.local.answer({ parts: [answers.chat.whole] });
    await at.ask('/gateway/v1/chat/completions', { model: 'local/m', n: 3, max_tokens: 500, messages: [] });
    expect(at.reservations.at(-1)).toMatchObject({ outputTokens: 1_500 });
  });
});

test('a recording that does not fit ends the run with its words', async () => {
  const answer = await at.askWire('responses', { model: 'recorded/demo' });
  expect([answer.status, await answer.json()]).toMatchObject([422, { error: { code: 'recording_mismatch' } }]);
  expect(await at.haltOf()).toEqual({ kind: 'recording', message: 'expected "fail 1", got "fail 2"' });
  expect(at.settlements.at(-1)).toMatchObject({ state: 'failed', errorClass: 'recording', attempts: 1 });
  expect(at.reservations.at(-1)).toMatchObject({ isRecorded: true, price: { input: 1_250_000, output: 10_000_000 } });
});

describe('a breaker', () => {
  const newsOf = async (model: string) => {
    const text = `select type from events where subject_id = $1 and type like 'breaker.%' order by id`;
    return (await at.stages.sql<{ type: string }>(text, [model])).map(({ type }) => type);
  };

  test('opens after five failures in a row, is known to the next server, and closes when it goes again', async () => {
    at.local.answer({ status: 500 });
    for (const _ of [1, 2]) await at.askWire('chat', { model: 'local/b' });
    // Three attempts and then two: what was left of the second call waited for half-open in vain, as its probe failed too.
    // Its row is written behind the calls.
    const stored =
      "select state -> 'ownState' ->> 'value' as value, retry_at is not null as is_told from breakers where model = 'b'";
    await expect.poll(() => at.stages.sql(stored)).toEqual([{ value: '1', is_told: true }]);
    await expect.poll(async () => (await newsOf('local/b'))[0]).toBe('breaker.opened');
    const asked = at.local.requests.length;
    const second = await at.another();
    at.local.answer({ parts: answers.chat.events });
    const { path, body } = askOf('chat', { model: 'local/b' });
    const began = performance.now();
    const answers2 = await Promise.all(
      [1, 2, 3].map(async () => {
        const answer = await fetch(second.url + path, {
          method: 'POST',
          headers: { 'x-api-key': at.runToken },
          body: JSON.stringify(body),
        });
        return [answer.status, (await answer.text()).endsWith('data: [DONE]\n\n')];
      }),
    );
    // They waited for it, and were not refused.
    expect(answers2).toEqual([
      [200, true],
      [200, true],
      [200, true],
    ]);
    expect(performance.now() - began).toBeGreaterThan(50);
    expect(at.local.requests.length - asked).toBe(3);
    await expect.poll(() => at.stages.sql(stored)).toEqual([{ value: '0', is_told: false }]);
    await expect.poll(async () => (await newsOf('local/b')).at(-1)).toBe('breaker.closed');
    await second.close();
  });

  test('of one model says nothing of another, and an alias goes past it', async () => {
    at.local.answer({ status: 500 });
    at.spare.answer({ parts: answers.chat.events });
    for (const _ of [1, 2]) await at.askWire('chat', { model: 'local/c' });
    const asked = at.local.requests.length;
    await at.askWire('chat', { model: 'local/other' });
    expect(at.local.requests.length - asked).toBe(3);
  });

  test('that stays open is told with a time', async () => {
    const slow = await startTestGateway({ limits: { breaker: { failuresMax: 2, halfOpenMs: 30_000 } } });
    slow.local.answer({ status: 500 });
    const answer = await slow.askWire('chat');
    expect([answer.status, Number(answer.headers.get('retry-after')) > 25]).toEqual([503, true]);
    expect(slow.local.requests.length).toBe(2);
    expect(slow.settlements).toMatchObject([{ state: 'failed', errorClass: 'breaker_open', attempts: 2 }]);
    await slow.close();
  });
});
