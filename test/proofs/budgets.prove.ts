import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Accounts, accountsForTests } from '../harness/accounts.ts';
import { forbidExcess, spendAtRandom } from '../harness/spending.ts';

const capMicroUsd = 500_000;
let accounts: Accounts;
beforeEach(async () => {
  accounts = await accountsForTests();
  await forbidExcess(accounts);
});
afterEach(() => accounts.close());

test('a cap of $0.50 with 20 callers on 3 servers is never passed, in 100 random schedules', async () => {
  const ledgers = [accounts.ledger, accounts.openLedger(), accounts.openLedger(0)];
  const all = { granted: 0, clamped: 0, spent: 0, busy: 0 };
  for (let seed = 0; seed < 100; seed++) {
    const { paid, ...counts } = await spendAtRandom(accounts, { seed, callers: 20, callsMax: 12, capMicroUsd, ledgers });
    expect(await accounts.budgets()).toMatchObject([{ spent: paid, reserved: 0, reservedTokens: 0 }]);
    expect([seed, paid <= capMicroUsd]).toEqual([seed, true]);
    for (const each of ['granted', 'clamped', 'spent', 'busy'] as const) all[each] += counts[each];
  }
  // Schedules in which nothing is ever cut, refused or waited for in vain would prove little.
  expect(Object.entries(all).filter(([, count]) => count < 100)).toEqual([]);
});

test('nor by 20 callers in 4 processes, whose sums are what the budget says', async () => {
  await accounts.cap('project', accounts.run.projectId, { usd: capMicroUsd / 1_000_000 });
  const price = { input: 3_000_000, output: 15_000_000, cached: 300_000, cacheWrite: 3_000_000, asOf: '2026-01-02' };
  const wanted = accounts.wanted({ inputTokens: 500, outputTokens: 1_000, price });
  const processes = await Promise.all(Array.from({ length: 4 }, () => startSpender(JSON.stringify(wanted))));
  const said = await Promise.all(processes.map(spender => spender.begin()));
  const sum = (of: 'paid' | 'granted') => said.reduce((total, each) => total + each[of], 0);
  expect(await accounts.budgets()).toMatchObject([{ spent: sum('paid'), reserved: 0, reservedTokens: 0, level: 'spent' }]);
  expect(sum('paid')).toBeLessThanOrEqual(capMicroUsd);
  expect(sum('paid')).toBeGreaterThan(capMicroUsd * 0.95);
  expect(await accounts.calls()).toHaveLength(sum('granted'));
  expect(said.filter(({ granted }) => granted > 0)).toHaveLength(4);
});

const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;

interface Said {
  readonly paid: number;
  readonly granted: number;
}

/** Resolves when the process is ready to begin. */
async function startSpender(wanted: string): Promise<{ begin(): Promise<Said> }> {
  const script = join(import.meta.dirname, '../fixtures/spender.ts');
  const argv = ['--import', tsx, script, accounts.appUrl, accounts.engineUrl, wanted, '5', '40'];
  const child = spawn(process.execPath, argv, { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  await lines.next();
  return {
    async begin() {
      child.stdin.end();
      const { value } = await lines.next();
      return JSON.parse(String(value)) as Said;
    },
  };
}
