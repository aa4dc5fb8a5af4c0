import { describe, expect, test } from 'vitest';
import { estimateTokens } from './estimate.ts';
import { failure, failureOfAnswer, failureOfError } from './failure.ts';
import { holdOf, retryAfterOf } from './rate-limits.ts';
import { nextAfter, retryLimits } from './retry.ts';
import { costOf, noUsage } from './usage.ts';

describe('the estimate of a request', () => {
  const of = (body: unknown) => (estimateTokens(body) ?? 0) - (estimateTokens({}) ?? 0);

  test('is half of ASCII and all of the bytes of other scripts', () => {
    expect(of({ a: 'x'.repeat(1_000) })).toBeGreaterThanOrEqual(500);
    expect(of({ a: 'x'.repeat(1_000) })).toBeLessThan(510);
    expect(of({ a: '漢'.repeat(1_000) })).toBeGreaterThanOrEqual(3_000);
    expect(of({ a: '💡'.repeat(100) })).toBeGreaterThanOrEqual(400);
  });

  test('counts an image as 5,000 in each form, whatever its bytes, and a document as text', () => {
    const data = 'A'.repeat(1_000_000);
    for (const image of [
      { type: 'image', source: { type: 'base64', media_type: 'image/png', data } },
      { type: 'image_url', image_url: { url: `data:image/png;base64,${data}` } },
      { type: 'image_url', image_url: { url: 'https://example.test/a.png' } },
      { type: 'input_image', image_url: `data:image/png;base64,${data}` },
      { inlineData: { mimeType: 'image/png', data } },
    ]) {
      const tokens = of({ messages: [image] });
      expect([image, tokens > 5_000 && tokens < 5_200]).toEqual([image, true]);
    }
    expect(of({ type: 'document', source: { type: 'base64', media_type: 'application/pdf', data } })).toBeGreaterThan(500_000);
  });

  test('is none for what is nested without end', () => {
    let deep: unknown = 1;
    for (let i = 0; i < 200; i++) deep = [deep];
    expect(estimateTokens({ deep })).toBeUndefined();
  });
});

test('a cost is rounded up, and exact where a double is not', () => {
  const price = { input: 1, output: 0, cached: 0, cacheWrite: 0, asOf: '' };
  expect(costOf({ ...noUsage, inputTokens: 1 }, price)).toBe(1);
  expect(costOf(noUsage, price)).toBe(0);
  expect(costOf({ ...noUsage, inputTokens: 1_000_000 }, price)).toBe(1);
  expect(costOf({ ...noUsage, inputTokens: 1_000_001 }, price)).toBe(2);
  expect(
    costOf(
      { ...noUsage, cacheWriteTokens: 3_000_000, cacheWriteLongTokens: 1_000_000 },
      { ...price, input: 100, cacheWrite: 125 },
    ),
  ).toBe(450);
  expect(costOf({ ...noUsage, inputTokens: 999_999_999 }, { ...price, input: 150_000_000 })).toBe(149_999_999_850);
});

describe('a failure', () => {
  const of = (status: number, error: object, headers = {}) =>
    failureOfAnswer({ status, headers, body: JSON.stringify({ error }), retryAfterMs: null });

  test('of Gemini says its wait in the body', () => {
    const details = [{ '@type': 'RetryInfo', retryDelay: '34.5s' }];
    expect(
      of(429, { code: 429, message: 'You exceeded your current quota, please check your plan and billing details', details }),
    ).toMatchObject({
      class: 'rate_limit',
      retryAfterMs: 34_500,
    });
    expect(of(400, { message: 'API key not valid', details: [{ reason: 'API_KEY_INVALID' }] }).class).toBe('auth');
  });

  test.each([
    [{ type: 'overloaded_error' }, 'overloaded'],
    [{ type: 'rate_limit_error' }, 'rate_limit'],
    [{ code: 'rate_limit_exceeded' }, 'rate_limit'],
    [{ code: 'insufficient_quota' }, 'spend_limit'],
    [{ type: 'authentication_error' }, 'auth'],
    [{ type: 'invalid_request_error' }, 'bad_request'],
    [{ code: 'context_length_exceeded' }, 'bad_request'],
    [{ type: 'api_error' }, 'server'],
    [{ code: 'server_error' }, 'server'],
    [{ code: 503, status: 'UNAVAILABLE' }, 'overloaded'],
    [{ code: 429 }, 'rate_limit'],
    [{}, 'server'],
    ['text', 'server'],
    [null, 'server'],
  ])('inside an answer: %j is %s', (error, kind) => {
    expect(failureOfError(error).class).toBe(kind);
  });

  test('has a message that can be shown', () => {
    expect(of(500, { message: `a\u0000b\n${'x'.repeat(10_000)}` }).message).toMatch(/^a b x{496}…$/);
    expect(failureOfAnswer({ status: 500, headers: {}, body: '<html>', retryAfterMs: null }).message).toBe('it answered 500');
  });
});

describe('what follows a failure', () => {
  const standing = { attempts: 1, hasNextTarget: false, breakerWaitedMs: 0, dice: 1 };
  const next = (kind: Parameters<typeof failure>[0], more: Partial<typeof standing> = {}, retryAfterMs: number | null = null) =>
    nextAfter(failure(kind, '', { retryAfterMs }), { ...standing, ...more }, retryLimits);

  test('doubles its wait up to a maximum, and is never the same for all', () => {
    const waits = [1, 2, 3].map(attempts => next('overloaded', { attempts }));
    expect(waits).toEqual([500, 1_000, 2_000].map(waitMs => ({ kind: 'retry', waitMs })));
    expect(next('overloaded', { dice: 0 })).toEqual({ kind: 'retry', waitMs: 250 });
    expect(next('overloaded', { attempts: 4 })).toEqual({ kind: 'give_up' });
  });

  test('honours what the provider asks for, up to a minute', () => {
    expect(next('rate_limit', { dice: 0 }, 20_000)).toEqual({ kind: 'retry', waitMs: 20_000 });
    expect(next('rate_limit', {}, 60_001)).toEqual({ kind: 'give_up' });
    expect(next('rate_limit', { hasNextTarget: true }, 60_001)).toEqual({ kind: 'fail_over' });
  });

  test('is the next target only where another provider may know better', () => {
    for (const kind of ['auth', 'billing', 'spend_limit', 'too_large'] as const) {
      expect([kind, next(kind), next(kind, { hasNextTarget: true })]).toEqual([kind, { kind: 'give_up' }, { kind: 'fail_over' }]);
    }
    for (const kind of ['bad_request', 'recording'] as const)
      expect([kind, next(kind, { hasNextTarget: true })]).toEqual([kind, { kind: 'give_up' }]);
  });

  test('waits for a breaker, but not for ever, and not where there is another', () => {
    expect(next('breaker_open', { dice: 0 }, 30_000)).toEqual({ kind: 'retry', waitMs: 30_000 });
    expect(next('breaker_open', { breakerWaitedMs: 100_000 }, 30_000)).toEqual({ kind: 'give_up' });
    expect(next('breaker_open', { hasNextTarget: true }, 30_000)).toEqual({ kind: 'fail_over' });
  });
});

describe('limits in headers', () => {
  const now = Date.parse('2026-11-21T12:00:00Z');

  test.each([
    [{ 'retry-after': '7' }, 7_000],
    [{ 'retry-after': '1.5' }, 1_500],
    [{ 'retry-after-ms': '250', 'retry-after': '7' }, 250],
    [{ 'retry-after': 'Sat, 21 Nov 2026 12:00:30 GMT' }, 30_000],
    [{ 'retry-after': 'Sat, 21 Nov 2026 11:00:00 GMT' }, 0],
    [{ 'retry-after': 'soon' }, null],
    [{ 'retry-after': '-5' }, null],
    [{}, null],
  ])('%j asks to wait %s ms', (headers, waitMs) => {
    expect(retryAfterOf(headers as Record<string, string>, now)).toEqual(waitMs);
  });

  test.each([
    [{ 'anthropic-ratelimit-requests-remaining': '0', 'anthropic-ratelimit-requests-reset': '2026-11-21T12:00:10Z' }, 10_000],
    [{ 'anthropic-ratelimit-requests-remaining': '1', 'anthropic-ratelimit-requests-reset': '2026-11-21T12:00:10Z' }, 0],
    [{ 'anthropic-ratelimit-output-tokens-remaining': '0', 'anthropic-ratelimit-output-tokens-reset': 'soon' }, 0],
    [{ 'x-ratelimit-remaining-requests': '0', 'x-ratelimit-reset-requests': '6m0s' }, 360_000],
    [{ 'x-ratelimit-remaining-tokens': '0', 'x-ratelimit-reset-tokens': '20ms' }, 20],
    [{ 'x-ratelimit-remaining-tokens': '0', 'x-ratelimit-reset-tokens': '1h2m3.5s' }, 3_723_500],
    [{ 'x-ratelimit-remaining-tokens': '0', 'x-ratelimit-reset-tokens': '' }, 0],
    [{}, 0],
  ])('%j holds for %i ms', (headers, ms) => {
    expect(holdOf(headers as Record<string, string>, now)).toBe(ms);
  });
});
