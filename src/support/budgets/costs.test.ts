import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { microUsd, usdText } from '../../../contract/models/budgets.ts';
import { type Accounts, accountsForTests } from '../../../test/harness/accounts.ts';
import { costs, costsCsv } from './costs.ts';

describe('money', () => {
  test.each([
    [0, '0.00'],
    [1, '0.000001'],
    [10, '0.00001'],
    [500_000, '0.50'],
    [512_300, '0.5123'],
    [1_000_000, '1.00'],
    [12_345_678, '12.345678'],
    [999_999_999_999_999, '999999999.999999'],
  ])('%d micro-dollars are $%s', (micro, text) => {
    expect(usdText(micro)).toBe(text);
    expect(microUsd(text)).toBe(micro);
  });

  test.each(['', '-1', '1.', '.5', '1e3', '0.0000001', '1000000000', ' 1', '0x1', 1e-7, Number.NaN])('%j is no amount', given => {
    expect(() => microUsd(given)).toThrow('is no amount in dollars');
  });

  test('a number is as exact as its digits', () => {
    expect([microUsd(0.1), microUsd(0.000_001), microUsd(29.99), microUsd(5)]).toEqual([100_000, 1, 29_990_000, 5_000_000]);
  });
});

describe('costs', () => {
  let accounts: Accounts;
  beforeEach(async () => {
    accounts = await accountsForTests();
  });
  afterEach(() => accounts.close());

  const one = async (more: Parameters<Accounts['granted']>[0], costMicroUsd: number | null) => {
    const { provider, model } = accounts.wanted(more);
    await accounts.settle(await accounts.granted(more), { provider, model, costMicroUsd });
  };
  const by = (group: Parameters<typeof costs>[1]['by'], filter: object = {}) =>
    accounts.app(tx => costs(tx, { by: group, ...filter }));

  test('are summed exactly, dearest first, with a total that holds all of them', async () => {
    const other = await accounts.anotherRun();
    await one({}, 1);
    await one({}, 123_456);
    await one({ run: other }, 999_999);
    const { rows, total, recorded_total } = await by('ticket');
    expect(rows.map(({ key, name, calls, cost_usd }) => [key, name, calls, cost_usd])).toEqual([
      [other.ticketId, 't', 1, '0.999999'],
      [accounts.run.ticketId, 't', 2, '0.123457'],
    ]);
    expect(total).toMatchObject({ calls: 3, input_tokens: 300, output_tokens: 300, cost_usd: '1.123456' });
    expect(recorded_total).toBeNull();
  });

  test('are grouped by whatever a call is of', async () => {
    await one({}, 5);
    await one({ provider: 'local', model: 'qwen' }, 3);
    const { projectId, runId } = accounts.run;
    const keys = async (group: Parameters<typeof by>[0]) => (await by(group)).rows.map(({ key, name }) => [key, name]);
    expect(await keys('project')).toEqual([[projectId, 'p']]);
    expect(await keys('spec')).toEqual([[null, null]]);
    expect(await keys('agent')).toEqual([['exec', null]]);
    expect(await keys('run')).toEqual([[runId, null]]);
    expect(await keys('model')).toEqual([
      ['openai/gpt-5', null],
      ['local/qwen', null],
    ]);
    await accounts.sql(`update model_calls set started_at = '2026-03-04T23:59:59Z' where model = 'qwen'`);
    await accounts.sql(`update model_calls set started_at = '2026-03-05T00:00:00Z' where model <> 'qwen'`);
    expect(await keys('day')).toEqual([
      ['2026-03-05', null],
      ['2026-03-04', null],
    ]);
  });

  test('can be asked of a project, a ticket, a run and a time', async () => {
    const other = await accounts.anotherRun();
    await one({}, 5);
    await one({ run: other }, 7);
    const sum = async (filter: object) => (await by('model', filter)).total.cost_usd;
    expect(await sum({ runId: other.runId })).toBe('0.000007');
    expect(await sum({ ticketId: accounts.run.ticketId })).toBe('0.000005');
    expect(await sum({ projectId: accounts.run.projectId })).toBe('0.000012');
    expect(await sum({ specId: crypto.randomUUID() })).toBe('0.00');
    await accounts.sql(`update model_calls set started_at = '2026-03-04T00:00:00Z' where cost_microusd = 5`);
    expect(await sum({ until: '2026-03-04T00:00:00Z' })).toBe('0.00');
    expect(await sum({ since: '2026-03-04T00:00:00Z', until: '2026-03-04T00:00:01Z' })).toBe('0.000005');
    expect(await sum({ since: '2026-03-04T00:00:01Z' })).toBe('0.000007');
  });

  test('of recorded calls stand apart, and say that nothing was paid', async () => {
    await one({}, 100);
    await one({ provider: 'recorded', model: 'demo', isRecorded: true }, 4_000);
    const all = await by('agent');
    expect(all.rows.map(({ note, cost_usd }) => [note, cost_usd])).toEqual([
      ['recorded demo: nothing was paid', '0.004'],
      [null, '0.0001'],
    ]);
    expect(all.total).toMatchObject({ calls: 1, cost_usd: '0.0001' });
    expect(all.recorded_total).toMatchObject({ calls: 1, cost_usd: '0.004', note: 'recorded demo: nothing was paid' });
  });

  test('tell of calls without a price, calls on their way, failed and lost ones', async () => {
    await one({ provider: 'local', model: 'qwen', price: null }, null);
    await one({ provider: 'local', model: 'llama', price: null }, null);
    await accounts.settle(await accounts.granted(), { state: 'failed', costMicroUsd: 0 });
    await accounts.granted();
    const lost = await accounts.granted();
    await accounts.sql(`update model_calls set state = 'lost', ended_at = now(), cost_microusd = 400 where id = $1`, [lost]);
    expect((await by('agent')).total).toMatchObject({
      ...{
        calls: 5,
        unpriced_calls: 2,
        unpriced_models: ['local/llama', 'local/qwen'],
        failed_calls: 1,
        open_calls: 1,
        lost_calls: 1,
      },
      cost_usd: '0.0004',
    });
  });

  test('of nobody are nothing', async () => {
    expect(await by('project')).toMatchObject({ rows: [], is_cut: false, total: { calls: 0, cost_usd: '0.00' } });
  });

  test('come as CSV, with the totals at the end, and no name that a spreadsheet would take for a formula', async () => {
    await accounts.sql(`update projects set name = '=1+1, "x"'`);
    await one({}, 100);
    await one({ isRecorded: true }, 7);
    const lines = costsCsv(await by('project')).split('\r\n');
    const { projectId } = accounts.run;
    expect(lines).toEqual([
      'project,name,note,calls,failed_calls,lost_calls,open_calls,unpriced_calls,unpriced_models,input_tokens,cached_tokens,cache_write_tokens,output_tokens,reasoning_tokens,cost_usd',
      `${projectId},"'=1+1, ""x""",,1,0,0,0,0,,100,0,0,100,0,0.0001`,
      `${projectId},"'=1+1, ""x""",recorded demo: nothing was paid,1,0,0,0,0,,100,0,0,100,0,0.000007`,
      'total,,,1,0,0,0,0,,100,0,0,100,0,0.0001',
      'total,,recorded demo: nothing was paid,1,0,0,0,0,,100,0,0,100,0,0.000007',
      '',
    ]);
  });
});
