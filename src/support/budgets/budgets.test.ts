import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Accounts, accountsForTests } from '../../../test/harness/accounts.ts';
import { type BudgetRow, listBudgets, loseUnsettledCall, raiseBudget, removeBudget } from './index.ts';
import { callsUnsettled } from './calls.sql.ts';

let accounts: Accounts;
beforeEach(async () => {
  accounts = await accountsForTests();
});
afterEach(() => accounts.close());

const refusal = (code: string) => expect.objectContaining({ code }) as unknown;

describe('a budget that is made later', () => {
  test.each(['tenant', 'project', 'ticket', 'agent', 'run'] as const)(
    'of the %s begins with what was spent there, and holds what is on its way',
    async scope => {
      const { run } = accounts;
      const other = await accounts.anotherRun();
      await accounts.settle(await accounts.granted(), { costMicroUsd: 70 });
      await accounts.settle(await accounts.granted({ run: { ...other, projectId: crypto.randomUUID(), agent: 'pi' } }));
      const open = await accounts.granted();
      const ids = { tenant: '', project: run.projectId, ticket: run.ticketId ?? '', agent: run.agent, run: run.runId };
      const spent = scope === 'tenant' ? 270 : 70;
      expect(await accounts.cap(scope, ids[scope], { usd: 1 })).toMatchObject({ spent, reserved: 400, reservedTokens: 400 });
      await accounts.settle(open, { costMicroUsd: 30 });
      expect(await accounts.budgets()).toMatchObject([{ spent: spent + 30, reserved: 0, reservedTokens: 0 }]);
    },
  );

  test('begins spent where that is so, and tells it', async () => {
    await accounts.settle(await accounts.granted());
    expect(await accounts.cap('tenant', '', { usd: 0.000_2 })).toMatchObject({ level: 'spent' });
    expect(await accounts.told()).toEqual(['budget.changed', 'budget.spent']);
  });

  test('counts each call once, while calls are reserved and settled beside it', async () => {
    let isOver = false;
    const callers = Array.from({ length: 6 }, async () => {
      while (!isOver) await accounts.settle(await accounts.granted(), { costMicroUsd: 7 });
    });
    for (const scope of ['tenant', 'agent', 'project'] as const) {
      const ids = { tenant: '', agent: 'exec', project: accounts.run.projectId };
      for (let i = 0; i < 5; i++) {
        const { id } = await accounts.cap(scope, ids[scope], { usd: 1 });
        if (i < 4) await accounts.app(tx => removeBudget(tx, id));
      }
    }
    isOver = true;
    await Promise.all(callers);
    const calls = await accounts.calls();
    const counted = { spent: 7 * calls.length, spentTokens: 200 * calls.length, reserved: 0, reservedTokens: 0 };
    expect(await accounts.budgets()).toMatchObject([counted, counted, counted]);
    expect(calls.length).toBeGreaterThan(10);
  });
});

describe('a budget for each one', () => {
  test('gives each ticket counters of its own when it is first used', async () => {
    await accounts.settle(await accounts.granted(), { costMicroUsd: 150 });
    await accounts.cap('ticket', '*', { usd: 0.000_6 });
    const other = await accounts.anotherRun();
    await accounts.granted();
    await accounts.granted({ run: other });
    expect(await accounts.budgets()).toMatchObject([
      { scopeId: '*', spent: 0, reserved: 0 },
      { scopeId: accounts.run.ticketId, spent: 150, reserved: 400 },
      { scopeId: other.ticketId, spent: 0, reserved: 400 },
    ]);
    expect(await accounts.reserve({ run: other })).toMatchObject({ kind: 'granted', outputTokens: 100 });
  });

  test('is made once by twenty that begin at the same time, and holds all of them', async () => {
    for (const scope of ['run', 'agent', 'project'] as const) await accounts.cap(scope, '*', { usd: 1 });
    const servers = [accounts.ledger, accounts.openLedger()];
    const never = new AbortController().signal;
    const tenOf = (server: Accounts['ledger']) => Array.from({ length: 10 }, () => server.reserve(accounts.wanted(), never));
    await Promise.all(servers.flatMap(tenOf));
    const budgets = await accounts.budgets();
    expect(budgets).toHaveLength(6);
    expect(budgets.filter(({ scopeId }) => scopeId !== '*').map(({ reserved }) => reserved)).toEqual([8_000, 8_000, 8_000]);
  });

  test('leaves the one that a person has set alone; the others follow it', async () => {
    const { run } = accounts;
    await accounts.cap('ticket', run.ticketId ?? '', { usd: 5 });
    await accounts.cap('ticket', '*', { usd: 0.000_5 });
    const other = await accounts.anotherRun();
    await accounts.settle(await accounts.granted({ run: other }), { costMicroUsd: 400 });
    await accounts.granted();
    await accounts.cap('ticket', '*', { usd: 2 });
    const rows = await accounts.app(tx => listBudgets(tx, { limit: 10 }));
    expect(rows.map(({ scopeId, capMicrousd, level }) => [scopeId, capMicrousd, level])).toEqual([
      ['*', 2_000_000, 'ok'],
      [run.ticketId, 5_000_000, 'ok'],
      [other.ticketId, 2_000_000, 'ok'],
    ]);
  });

  test('takes those that were made from it with it; one of them alone would come back', async () => {
    const each = await accounts.cap('run', '*', { tokens: 10_000 });
    await accounts.granted();
    const [, made] = await accounts.budgets();
    await expect(accounts.app(tx => removeBudget(tx, made?.id ?? ''))).rejects.toEqual(refusal('wrong_state'));
    await accounts.app(tx => removeBudget(tx, each.id));
    expect(await accounts.budgets()).toEqual([]);
  });

  test('raised for one of them is its own from then on', async () => {
    const each = await accounts.cap('run', '*', { tokens: 10_000 });
    await accounts.granted();
    const [, made] = await accounts.budgets();
    await accounts.app(tx => raiseBudget(tx, made?.id ?? '', { capTokens: 20_000 }));
    await accounts.app(tx => removeBudget(tx, each.id));
    expect(await accounts.budgets()).toMatchObject([{ id: made?.id, reservedTokens: 400 }]);
  });
});

describe('levels', () => {
  const spend = async (...costs: number[]) => {
    for (const costMicroUsd of costs) await accounts.settle(await accounts.granted({ outputTokens: 20 }), { costMicroUsd });
  };

  test('are told once each, at 0.80, 0.95 and 1.00, with what is spent', async () => {
    const { id } = await accounts.cap('tenant', '', { usd: 0.01 });
    await spend(7_999, 1, 1_000, 499, 1, 250, 130);
    await spend(120);
    expect(await accounts.told()).toEqual(['budget.changed', 'budget.warned', 'budget.alerted', 'budget.spent']);
    const payloads = await accounts.sql<{ payload: object; actor: string }>(
      `select payload, actor from events where subject_id = $1 and type = 'budget.warned'`,
      [id],
    );
    expect(payloads).toEqual([
      {
        actor: `run:${accounts.run.runId}`,
        payload: {
          ...{ scope: 'tenant', scopeId: '', level: 'warned', capMicroUsd: 10_000, spentMicroUsd: 8_000 },
          ...{ capTokens: null, spentTokens: 400 },
        },
      },
    ]);
  });

  test('are of tokens too, and one that is jumped over is not told', async () => {
    await accounts.cap('run', accounts.run.runId, { usd: 1, tokens: 205 });
    await accounts.settle(await accounts.granted());
    expect(await accounts.told()).toEqual(['budget.changed', 'budget.alerted']);
  });

  test('begin anew with a raise, which is told, and with less than there was are refused', async () => {
    const { id } = await accounts.cap('tenant', '', { usd: 0.000_2 });
    await accounts.settle(await accounts.granted({ outputTokens: 100 }));
    const raise = (caps: { capMicroUsd?: number; capTokens?: number }): Promise<BudgetRow> =>
      accounts.app(tx => raiseBudget(tx, id, caps));
    expect(await raise({ capMicroUsd: 240 })).toMatchObject({ level: 'warned', spentMicrousd: 200 });
    expect(await raise({ capMicroUsd: 2_000 })).toMatchObject({ level: 'ok' });
    await expect(raise({ capMicroUsd: 1_999 })).rejects.toEqual(refusal('invalid_request'));
    await expect(raise({ capTokens: 9 })).rejects.toEqual(refusal('invalid_request'));
    expect(await accounts.told()).toEqual(['budget.changed', 'budget.spent', 'budget.changed', 'budget.changed']);
  });
});

describe('a call that nobody settles', () => {
  const age = (interval: string) => accounts.sql(`update model_calls set started_at = now() - $1::interval`, [interval]);
  const unsettled = () => accounts.database.enginePool.query(callsUnsettled, [8_000]);

  test('is found when it is older than any call can be, and charged all that it had reserved, once', async () => {
    await accounts.cap('tenant', '', { usd: 0.000_5, tokens: 1_000 });
    const callId = await accounts.granted();
    await age('30 minutes');
    expect(await unsettled()).toEqual([]);
    await age('32 minutes');
    expect(await unsettled()).toEqual([{ tenantId: accounts.tenantId, id: callId }]);
    for (let i = 0; i < 2; i++) await loseUnsettledCall(accounts.database, accounts.tenantId, callId);
    expect(await accounts.calls()).toMatchObject([{ state: 'lost', cost: 400, charged: 400, chargedTokens: 400 }]);
    expect(await accounts.budgets()).toMatchObject([{ spent: 400, spentTokens: 400, reserved: 0, reservedTokens: 0 }]);
    expect(await accounts.told()).toEqual(['budget.changed', 'budget.warned']);
    expect(await unsettled()).toEqual([]);
  });

  test('is found a minute after its run is over', async () => {
    await accounts.granted();
    await age('90 seconds');
    expect(await unsettled()).toEqual([]);
    const over = `update runs set state = 'cancelled', lease_expires_at = null, ended_at = now() - $1::interval`;
    await accounts.sql(over, ['50 seconds']);
    expect(await unsettled()).toEqual([]);
    await accounts.sql(over, ['61 seconds']);
    expect(await unsettled()).toHaveLength(1);
    await accounts.sql(`update runs set state = 'leased', lease_expires_at = now() + interval '1 minute', ended_at = null`);
  });

  test('and is settled after all is charged what it cost', async () => {
    await accounts.cap('tenant', '', { usd: 1 });
    const callId = await accounts.granted();
    await loseUnsettledCall(accounts.database, accounts.tenantId, callId);
    await accounts.settle(callId, { costMicroUsd: 90 });
    expect(await accounts.calls()).toMatchObject([{ state: 'completed', cost: 90, charged: 90 }]);
    expect(await accounts.budgets()).toMatchObject([{ spent: 90, spentTokens: 200, reserved: 0, reservedTokens: 0 }]);
    await loseUnsettledCall(accounts.database, accounts.tenantId, callId);
    expect(await accounts.budgets()).toMatchObject([{ spent: 90 }]);
  });

  test('of another tenant is not his to settle', async () => {
    const callId = await accounts.granted();
    await accounts.settle(callId, { tenantId: await accounts.makeTenant('other') });
    expect(await accounts.calls()).toMatchObject([{ state: 'reserved' }]);
  });
});

test('what does not exist has no budget', async () => {
  const nobody = '6f4b5f0e-1111-4222-8333-444455556666';
  await expect(accounts.cap('project', nobody, { usd: 1 })).rejects.toEqual(refusal('project_not_found'));
  await expect(accounts.cap('spec', nobody, { usd: 1 })).rejects.toEqual(refusal('spec_not_found'));
  await expect(accounts.cap('run', nobody, { usd: 1 })).rejects.toEqual(refusal('run_not_found'));
  await expect(accounts.cap('ticket', 'TKT-999', { usd: 1 })).rejects.toEqual(refusal('ticket_not_found'));
  await expect(accounts.app(tx => raiseBudget(tx, nobody, {}))).rejects.toEqual(refusal('budget_not_found'));
  await expect(accounts.app(tx => removeBudget(tx, nobody))).rejects.toEqual(refusal('budget_not_found'));
});
