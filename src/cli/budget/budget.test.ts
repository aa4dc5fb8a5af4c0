import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { scriptedServer, skep } from '../../../test/harness/cli.ts';
import { plainProject } from '../../../test/harness/plain-project.ts';
import type { Answer, Call } from '../../../test/harness/cli.ts';

const at = '2026-01-02T03:04:05.000Z';
const uuid = (start: string) => `${start}-2222-4333-8444-555555555555`;
const budget = (start: string, more: object = {}) => ({
  id: uuid(start),
  scope: 'project',
  scope_id: uuid('dddd0000'),
  name: 'Todo\u001b[2J',
  template_id: null,
  cap_usd: '5.00',
  cap_tokens: null,
  spent_usd: '4.10',
  spent_tokens: 1_234,
  reserved_usd: '0.20',
  reserved_tokens: 0,
  level: 'warned',
  created_at: at,
  updated_at: at,
  ...more,
});
const ofProject = budget('aaaa1111');
const each = budget('bbbb1111', { scope: 'ticket', scope_id: '*', name: null, cap_usd: null, cap_tokens: 0, level: 'ok' });
const project = plainProject({ id: uuid('dddd0000'), name: 'Todo' });
const sums = (more: object = {}) => ({
  ...{ calls: 3, failed_calls: 0, lost_calls: 0, open_calls: 0, unpriced_calls: 0, unpriced_models: [] },
  ...{
    input_tokens: 1_000,
    cached_tokens: 50,
    cache_write_tokens: 5,
    output_tokens: 200,
    reasoning_tokens: 20,
    cost_usd: '0.50',
  },
  ...more,
});
const note = 'recorded demo: nothing was paid';
let costs: object;

function answer({ method, path }: Call): Answer {
  const { pathname, searchParams } = new URL(path, 'http://server');
  if (pathname === '/api/projects') return { json: { projects: searchParams.get('name') === 'Todo' ? [project] : [] } };
  if (pathname === '/api/costs') return searchParams.get('format') === 'csv' ? { text: 'model,name\r\n' } : { json: costs };
  if (method === 'PUT') return { json: ofProject };
  if (method === 'DELETE') return { json: ofProject };
  const scope = searchParams.get('scope');
  return { json: { budgets: [ofProject, each].filter(it => scope === null || it.scope === scope) } };
}

let server: Awaited<ReturnType<typeof scriptedServer>>;
beforeAll(async () => {
  server = await scriptedServer(answer);
});
beforeEach(() => void server.calls.splice(0));
afterAll(() => server.close());

const run = (words: readonly string[]) => skep(words, { env: { SKEP_SERVER: server.url } });
const sent = (method: string) => server.calls.filter(call => call.method === method).map(({ path, body }) => [path, body]);

describe('skep budget set', () => {
  it.each([
    [['--project', 'Todo', '--usd', '5'], { scope: 'project', scope_id: uuid('dddd0000'), cap_usd: '5', cap_tokens: null }],
    [['--tenant', '--usd', '0.5', '--tokens', '9'], { scope: 'tenant', scope_id: '', cap_usd: '0.5', cap_tokens: 9 }],
    [['--ticket', '7', '--tokens', '0'], { scope: 'ticket', scope_id: 'TKT-007', cap_usd: null, cap_tokens: 0 }],
    [['--ticket', 'each', '--usd', '1'], { scope: 'ticket', scope_id: '*', cap_usd: '1', cap_tokens: null }],
    [['--agent', 'codex', '--usd', '1'], { scope: 'agent', scope_id: 'codex', cap_usd: '1', cap_tokens: null }],
    [['--run', uuid('eeee0000'), '--usd', '1'], { scope: 'run', scope_id: uuid('eeee0000'), cap_usd: '1', cap_tokens: null }],
    [['--spec', uuid('ffff0000'), '--usd', '1'], { scope: 'spec', scope_id: uuid('ffff0000'), cap_usd: '1', cap_tokens: null }],
  ])('%j', async (words, body) => {
    const { code, out } = await run(['budget', 'set', ...words]);
    expect([code, sent('PUT')]).toEqual([0, [['/api/budgets', body]]]);
    expect(out).toContain('spent     $4.10');
  });

  it.each([
    [['--usd', '5'], 'Give one of --tenant, --project'],
    [['--tenant', '--ticket', '1', '--usd', '5'], 'Give one of --tenant, --project'],
    [['--tenant'], 'Give --usd, --tokens or both'],
    [['--tenant', '--usd', '5 dollars'], "'5 dollars' is no amount in dollars"],
    [['--tenant', '--usd', '0.0000001'], 'with at most 6 digits after the point'],
    [['--tenant', '--tokens', '1.5'], 'is not a whole number'],
  ])('%j is refused, and nothing is sent', async (words, says) => {
    const { code, err } = await run(['budget', 'set', ...words]);
    expect([code, err, sent('PUT')]).toEqual([2, expect.stringContaining(says), []]);
  });

  it('of a project that there is none of is refused', async () => {
    expect(await run(['budget', 'set', '--project', 'Nothing', '--usd', '5'])).toMatchObject({ code: 3 });
  });
});

it('skep budget list shows what each is for, without what would steer the terminal', async () => {
  const { out } = await run(['budget', 'list']);
  expect(out.split('\n').map(line => line.trimEnd())).toEqual([
    'ID        FOR               CAP       SPENT        RESERVED  LEVEL',
    'aaaa1111  project Todo [2J  $5.00     $4.10        $0.20     warned',
    'bbbb1111  each ticket       0 tokens  1234 tokens  0 tokens  ok',
    '',
  ]);
  const { out: json } = await run(['budget', 'list', '--json']);
  expect(
    json
      .trim()
      .split('\n')
      .map(line => JSON.parse(line) as unknown),
  ).toEqual([ofProject, each]);
});

describe('skep budget remove', () => {
  it('takes an id, which may be shortened, or a scope', async () => {
    await run(['budget', 'remove', 'bbbb']);
    await run(['budget', 'remove', '--project', 'Todo']);
    expect(sent('DELETE').map(([path]) => path)).toEqual([
      `/api/budgets/${uuid('bbbb1111')}`,
      `/api/budgets/${uuid('aaaa1111')}`,
    ]);
  });

  it('says so where there is none', async () => {
    expect(await run(['budget', 'remove', 'cccc'])).toMatchObject({ code: 3 });
    expect(await run(['budget', 'remove', '--tenant'])).toMatchObject({ code: 3 });
  });
});

describe('skep cost', () => {
  const row = (key: string | null, more: object = {}) => ({ key, name: null, is_recorded: false, note: null, ...sums(more) });

  it('shows a line for each, and the totals of what was paid and of what was recorded', async () => {
    costs = {
      by: 'model',
      rows: [
        row('openai/gpt-5', { open_calls: 1 }),
        row('recorded/demo', { is_recorded: true, note, cost_usd: '1.25' }),
        row('local/qwen', { unpriced_calls: 3, unpriced_models: ['local/qwen'], cost_usd: '0.00' }),
      ],
      is_cut: false,
      total: sums({ calls: 6 }),
      recorded_total: { ...sums({ cost_usd: '1.25' }), note },
    };
    const { out } = await run(['cost', '--by', 'model', '--project', 'Todo', '--since', '2026-01-02']);
    expect(sent('GET').at(-1)?.[0]).toBe(`/api/costs?by=model&project_id=${uuid('dddd0000')}&since=2026-01-02T00%3A00%3A00.000Z`);
    expect(out.split('\n').map(line => line.trimEnd())).toEqual([
      'MODEL          CALLS  INPUT  CACHED  OUTPUT  COST   NOTE',
      'openai/gpt-5       3   1005      50     200  $0.50  1 on their way',
      `recorded/demo      3   1005      50     200  $1.25  ${note}`,
      'local/qwen         3   1005      50     200  $0.00  3 without a price (local/qwen)',
      'TOTAL              6   1005      50     200  $0.50',
      `TOTAL              3   1005      50     200  $1.25  ${note}`,
      '',
    ]);
  });

  it('shows one total where all was recorded, and names where there are any', async () => {
    const recorded = { is_recorded: true, note };
    costs = {
      by: 'spec',
      rows: [{ ...row(uuid('ffff0000'), recorded), name: 'Todo app' }, row(null, recorded)],
      is_cut: false,
      total: sums({ calls: 0 }),
      recorded_total: { ...sums(), note },
    };
    const lines = (await run(['cost', '--by', 'spec'])).out.split('\n');
    expect(lines.map(line => line.slice(0, 18).trimEnd())).toEqual(['SPEC      NAME', 'ffff0000  Todo app', 'none', 'TOTAL', '']);
  });

  it('prints CSV as the server gives it, and JSON as one document', async () => {
    expect((await run(['cost', '--csv'])).out).toBe('model,name\r\n');
    expect(sent('GET').at(-1)?.[0]).toBe('/api/costs?by=project&format=csv');
    expect(JSON.parse((await run(['cost', '--json'])).out)).toEqual(costs);
    expect(await run(['cost', '--csv', '--json'])).toMatchObject({ code: 2 });
  });

  it('says so where nothing was called, and what is no time', async () => {
    costs = { by: 'project', rows: [], is_cut: false, total: sums({ calls: 0 }), recorded_total: null };
    expect(await run(['cost'])).toMatchObject({
      code: 0,
      out: '',
      err: expect.stringContaining('No model was called') as string,
    });
    expect(await run(['cost', '--since', 'yesterday'])).toMatchObject({ code: 2 });
  });
});
