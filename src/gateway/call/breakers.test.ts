import { beforeEach, expect, test } from 'vitest';
import { systemClock } from '../../kernel/clock.ts';
import { silentLog } from '../../kernel/log.ts';
import { failure } from '../model/failure.ts';
import { type BreakerChange, type Breakers, createBreakers, type StoredBreaker, type Tried } from './breakers.ts';
import { Cut } from './types.ts';

const key = { tenantId: 't', provider: 'p', model: 'm' };
const cut = new Cut('client_gone');

let breakers: Breakers;
let news: BreakerChange['news'][];
let state: unknown;

const begin = (stored: readonly StoredBreaker[]) =>
  createBreakers({
    store: {
      load: async () => stored,
      save: async (_key, change) => {
        news.push(change.news);
        state = change.state;
      },
    },
    // It is time to look at once.
    limits: { failuresMax: 2, halfOpenMs: 0 },
    clock: systemClock,
    log: silentLog,
  });

beforeEach(() => {
  news = [];
  breakers = begin([]);
});

const attempt = (work: () => Promise<Tried<string>>) => breakers.attempt(key, work);
const fail = () => attempt(async () => ({ ok: false, failure: failure('server', 'it answered 500') }));
const leave = () => attempt(() => Promise.reject(cut));
const answer = () => attempt(async () => ({ ok: true, value: 'whole' }));

test('a call that was to look and was cut off has seen nothing: the breaker opens again, and its end is its own', async () => {
  for (const _ of [1, 2]) await fail();
  await expect(leave()).rejects.toBe(cut);
  await expect.poll(() => news).toEqual(['breaker.opened', null, 'breaker.opened']);
  await expect(answer()).resolves.toEqual({ ok: true, value: 'whole' });
  await expect.poll(() => news).toEqual(['breaker.opened', null, 'breaker.opened', null, 'breaker.closed']);
});

test('a call that is cut off while it is closed counts neither for nor against', async () => {
  await fail();
  for (const _ of [1, 2, 3]) await expect(leave()).rejects.toBe(cut);
  expect(news).toEqual([]);
  await fail();
  await expect.poll(() => news).toEqual(['breaker.opened']);
});

test('a breaker that was opened by a clock that was ahead of this one is open no longer for it', async () => {
  for (const _ of [1, 2]) await fail();
  await expect.poll(() => news).toEqual(['breaker.opened']);
  const { ownState, ...others } = state as { ownState: { openedAt: number } };
  breakers = begin([{ ...key, state: { ...others, ownState: { ...ownState, openedAt: systemClock.now() + 3_600_000 } } }]);
  await expect(answer()).resolves.toEqual({ ok: true, value: 'whole' });
});
