import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Accounts, accountsForTests } from '../../../test/harness/accounts.ts';
import { forbidExcess, spendAtRandom } from '../../../test/harness/spending.ts';

const capMicroUsd = 500_000;
let accounts: Accounts;
beforeAll(async () => {
  accounts = await accountsForTests();
  await forbidExcess(accounts);
});
afterAll(() => accounts.close());

// Four of the hundred of test/proofs/budgets.prove.ts.
test.each([1, 2, 3, 4])('20 callers on 2 servers spend $0.50 to its end and not a micro-dollar more (seed %d)', async seed => {
  const ledgers = [accounts.ledger, accounts.openLedger()];
  const { paid, granted, spent, busy } = await spendAtRandom(accounts, { seed, callers: 20, callsMax: 12, capMicroUsd, ledgers });
  expect(await accounts.budgets()).toMatchObject([{ spent: paid, reserved: 0, reservedTokens: 0, level: 'spent' }]);
  expect(paid).toBeLessThanOrEqual(capMicroUsd);
  const calls = await accounts.calls();
  expect(calls).toHaveLength(granted);
  expect(calls.reduce((sum, { charged }) => sum + charged, 0)).toBe(paid);
  expect(spent).toBeGreaterThan(0);
  expect(granted + spent + busy).toBeGreaterThan(20);
});

test('the check of the database would have seen an excess', async () => {
  await expect(accounts.sql('update budgets set spent_microusd = cap_microusd + 1')).rejects.toThrow('past the cap');
});
