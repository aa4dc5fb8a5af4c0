import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Accounts, accountsForTests, dollarAMillion, questionOf } from '../../../test/harness/accounts.ts';
import { raiseBudget } from './index.ts';

let accounts: Accounts;
beforeEach(async () => {
  accounts = await accountsForTests();
});
afterEach(() => accounts.close());

describe('a call', () => {
  test('is noted where nothing has a budget, and waits for nothing', async () => {
    const callId = await accounts.granted({ price: null });
    expect(await accounts.calls()).toMatchObject([{ id: callId, state: 'reserved', reserved: 0, budgets: 0 }]);
    await accounts.settle(callId, { costMicroUsd: null });
    expect(await accounts.calls()).toMatchObject([{ state: 'completed', cost: null, charged: 0, chargedTokens: 200 }]);
  });

  test('reserves what it may cost in every budget that applies, and gives back what it did not', async () => {
    const { run } = accounts;
    await accounts.cap('tenant', '', { usd: 1 });
    await accounts.cap('project', run.projectId, { usd: 1, tokens: 1_000 });
    await accounts.cap('agent', 'exec', { tokens: 1_000 });
    await accounts.cap('agent', 'codex', { tokens: 1 });
    const callId = await accounts.granted();
    const held = { reserved: 400, reservedTokens: 400, spent: 0 };
    expect(await accounts.budgets()).toMatchObject([held, held, held, { reserved: 0, reservedTokens: 0 }]);
    await accounts.settle(callId);
    const paid = { reserved: 0, reservedTokens: 0, spent: 200, spentTokens: 200 };
    expect(await accounts.budgets()).toMatchObject([paid, paid, paid, { spent: 0, spentTokens: 0 }]);
  });

  test('reserves the dearer of plain input and of input that the provider caches, rounded up', async () => {
    await accounts.cap('tenant', '', { usd: 1 });
    const price = { ...dollarAMillion, input: 1, cacheWrite: 1_500_001, output: 1 };
    await accounts.granted({ inputTokens: 3, outputTokens: 1, price });
    expect(await accounts.budgets()).toMatchObject([{ reserved: 5 }]);
  });

  test('that cost more than was reserved is recorded as it was', async () => {
    await accounts.cap('tenant', '', { usd: 0.0004 });
    await accounts.settle(await accounts.granted(), { costMicroUsd: 900 });
    expect(await accounts.budgets()).toMatchObject([{ spent: 900, reserved: 0, level: 'spent' }]);
    expect(await accounts.reserve({ price: { ...dollarAMillion, input: 0, output: 0, cacheWrite: 0 } })).toMatchObject({
      kind: 'spent',
    });
  });

  test('is settled once, however often and by however many that is said', async () => {
    await accounts.cap('tenant', '', { usd: 1 });
    const callId = await accounts.granted();
    const servers = [accounts, ...[1, 2, 3].map(() => ({ settle: accounts.settlerOf(accounts.openLedger()) }))];
    await Promise.all(servers.flatMap(({ settle }) => [200, 300].map(costMicroUsd => settle(callId, { costMicroUsd }))));
    await accounts.settle(callId, { costMicroUsd: 999 });
    const [budget] = await accounts.budgets();
    const [call] = await accounts.calls();
    expect([200, 300]).toContain(budget?.spent);
    expect(call).toMatchObject({ charged: budget?.spent, cost: budget?.spent });
    expect(budget).toMatchObject({ reserved: 0, reservedTokens: 0 });
  });

  test('whose price was lost on the way is charged what it had reserved; one that used nothing is not', async () => {
    await accounts.cap('tenant', '', { usd: 1 });
    await accounts.settle(await accounts.granted(), { costMicroUsd: null });
    expect(await accounts.budgets()).toMatchObject([{ spent: 400 }]);
    const usage = { inputTokens: 0, outputTokens: 0, cachedTokens: 0, cacheWriteTokens: 0, reasoningTokens: 0 };
    await accounts.settle(await accounts.granted(), { state: 'failed', costMicroUsd: null, usage });
    expect(await accounts.budgets()).toMatchObject([{ spent: 400, reserved: 0 }]);
  });
});

describe('a cap', () => {
  test('cuts the answer to what fits, as long as that is a quarter', async () => {
    await accounts.cap('tenant', '', { usd: 0.000_3 });
    expect(await accounts.reserve()).toMatchObject({ kind: 'granted', outputTokens: 200 });
    expect(await accounts.budgets()).toMatchObject([{ reserved: 300 }]);
  });

  test('cuts it to the least of money and tokens over all budgets', async () => {
    await accounts.cap('tenant', '', { usd: 0.000_35 });
    await accounts.cap('project', accounts.run.projectId, { usd: 1, tokens: 310 });
    expect(await accounts.reserve()).toMatchObject({ outputTokens: 210 });
  });

  test('of which less than a quarter is left gives that at once, since nobody will give anything back', async () => {
    await accounts.cap('tenant', '', { tokens: 120 });
    expect(await accounts.reserve()).toMatchObject({ kind: 'granted', outputTokens: 20 });
  });

  test('that is spent refuses, says which, and asks once', async () => {
    const budget = await accounts.cap('project', accounts.run.projectId, { usd: 0.000_4 });
    await accounts.settle(await accounts.granted(), { costMicroUsd: 400 });
    const refused = { kind: 'spent', budgetId: budget.id, questionId: questionOf(budget.id) };
    const message = 'The budget of project p is spent: $0.0004 of $0.0004';
    expect(await accounts.reserve()).toEqual({ ...refused, message });
    expect(await accounts.reserve()).toEqual({ ...refused, message });
    expect(accounts.asked).toMatchObject([{ message, run: accounts.run }]);
    expect(await accounts.calls()).toHaveLength(1);
  });

  test('whose rest is too little for the next call says so, and counts as spent', async () => {
    await accounts.cap('tenant', '', { usd: 0.000_5 });
    await accounts.settle(await accounts.granted(), { costMicroUsd: 390 });
    expect(await accounts.reserve()).toMatchObject({
      kind: 'spent',
      message: 'The budget of the tenant is spent: $0.00039 of $0.0005; what is left is too little for the next call',
    });
    expect(await accounts.budgets()).toMatchObject([{ level: 'spent' }]);
    await accounts.reserve();
    expect(await accounts.told()).toEqual(['budget.changed', 'budget.spent']);
  });

  test('of one budget stops the call in all: nothing is held in the others', async () => {
    await accounts.cap('tenant', '', { usd: 1 });
    await accounts.cap('ticket', accounts.run.ticketId ?? '', { usd: 0 });
    expect(await accounts.reserve()).toMatchObject({ kind: 'spent' });
    expect(await accounts.budgets()).toMatchObject([{ reserved: 0, reservedTokens: 0 }, { reserved: 0 }]);
    expect(await accounts.calls()).toEqual([]);
  });

  test('of nothing lets models through that cost nothing', async () => {
    await accounts.cap('tenant', '', { usd: 0 });
    const price = { input: 0, output: 0, cached: 0, cacheWrite: 0, asOf: '2026-01-02' };
    await accounts.settle(await accounts.granted({ price }), { costMicroUsd: 0 });
    expect(await accounts.budgets()).toMatchObject([{ spent: 0, level: 'ok' }]);
  });

  test('in money refuses a model without a price; one in tokens does not', async () => {
    await accounts.cap('agent', 'exec', { tokens: 1_000 });
    await accounts.settle(await accounts.granted({ price: null }), { costMicroUsd: null });
    await accounts.cap('tenant', '', { usd: 1 });
    expect(await accounts.reserve({ price: null })).toEqual({
      kind: 'unpriced',
      message:
        'The budget of the tenant is in money, and the price of openai/gpt-5 is not known: give it one under "prices" in the models file, or take a model that has one',
    });
  });
});

describe("others' reservations", () => {
  test('are waited for, and what they give back is used', async () => {
    await accounts.cap('tenant', '', { usd: 0.000_5 });
    const callId = await accounts.granted();
    const waiting = accounts.openLedger(20_000).reserve(accounts.wanted(), new AbortController().signal);
    await accounts.settle(callId, { costMicroUsd: 10 });
    expect(await waiting).toMatchObject({ kind: 'granted', outputTokens: 300 });
  });

  test('that are not given back in time leave the least that is of use', async () => {
    await accounts.cap('tenant', '', { usd: 0.000_55 });
    await accounts.granted();
    expect(await accounts.reserve()).toMatchObject({ kind: 'granted', outputTokens: 16 });
  });

  test('that leave not even that are a refusal for now', async () => {
    await accounts.cap('tenant', '', { usd: 0.000_45 });
    await accounts.granted();
    expect(await accounts.reserve()).toEqual({
      kind: 'busy',
      message:
        'Other calls have not given back what they hold of the budget of the tenant within 0.3 s: $0.00 of $0.00045 spent, and $0.0004 is reserved',
    });
    expect(accounts.asked).toEqual([]);
  });

  test('are waited for no longer once the caller has gone', async () => {
    await accounts.cap('tenant', '', { usd: 0.000_45 });
    await accounts.granted();
    const gone = new AbortController();
    const waiting = accounts.openLedger(60_000).reserve(accounts.wanted(), gone.signal);
    gone.abort(new Error('the caller has gone'));
    await expect(waiting).rejects.toThrow('the caller has gone');
    expect(await accounts.calls()).toHaveLength(1);
  });

  test('end with a raise too', async () => {
    const { id } = await accounts.cap('tenant', '', { usd: 0.000_45 });
    await accounts.granted();
    const waiting = accounts.openLedger(20_000).reserve(accounts.wanted(), new AbortController().signal);
    await accounts.app(tx => raiseBudget(tx, id, { capMicroUsd: 1_000_000 }));
    expect(await waiting).toMatchObject({ kind: 'granted', outputTokens: 300 });
  });
});
