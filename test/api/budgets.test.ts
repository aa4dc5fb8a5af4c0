import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { query } from '../harness/database.ts';
import { type TestApi, testApi } from '../harness/server.ts';

let api: TestApi;
let projectId: string;
beforeAll(async () => {
  api = await testApi();
  projectId = String((await api.call('POST', '/api/projects', { name: 'Todo' })).body['id']);
});
afterAll(() => api.stop());

const put = (body: object) => api.call('PUT', '/api/budgets', body);
const nobody = '6f4b5f0e-1111-4222-8333-444455556666';

describe('/api/budgets', () => {
  test('sets, shows and removes a budget; what is set is the whole of it', async () => {
    const made = await put({ scope: 'project', scope_id: projectId, cap_usd: '0.50', cap_tokens: 1_000 });
    expect([made.status, made.body]).toMatchObject([
      200,
      {
        scope: 'project',
        name: 'Todo',
        cap_usd: '0.50',
        cap_tokens: 1_000,
        spent_usd: '0.00',
        reserved_usd: '0.00',
        level: 'ok',
      },
    ]);
    const again = await put({ scope: 'project', scope_id: projectId, cap_usd: 12.5 });
    expect(again.body).toMatchObject({ id: made.body['id'], cap_usd: '12.50', cap_tokens: null });
    expect((await api.call('GET', '/api/budgets?scope=project')).body).toEqual({ budgets: [again.body] });
    const removed = await api.call('DELETE', `/api/budgets/${String(made.body['id'])}`);
    expect([removed.status, removed.body['id']]).toEqual([200, made.body['id']]);
    expect((await api.call('GET', '/api/budgets')).body).toEqual({ budgets: [] });
    expect((await api.call('DELETE', `/api/budgets/${String(made.body['id'])}`)).status).toBe(404);
  });

  test('takes one for the tenant and one for each of a kind', async () => {
    for (const body of [
      { scope: 'tenant', cap_usd: 0 },
      { scope: 'agent', scope_id: 'codex', cap_tokens: 0 },
      ...['project', 'spec', 'ticket', 'agent', 'run'].map(scope => ({ scope, scope_id: '*', cap_usd: '999999999.999999' })),
    ]) {
      expect([body, (await put(body)).status]).toEqual([body, 200]);
    }
  });

  const refused: readonly (readonly [body: object, says: string])[] = [
    [{}, 'scope'],
    [{ scope: 'tenant' }, 'cap_usd: give cap_usd, cap_tokens or both'],
    [{ scope: 'tenant', cap_usd: null, cap_tokens: null }, 'cap_usd: give cap_usd, cap_tokens or both'],
    [{ scope: 'tenant', scope_id: '*', cap_usd: 1 }, 'scope_id: of the tenant itself there is no scope_id'],
    [{ scope: 'tenant', scope_id: 'x', cap_usd: 1 }, 'scope_id: of the tenant itself there is no scope_id'],
    [{ scope: 'project', cap_usd: 1 }, 'scope_id: give the id of a project, or * for each one'],
    [{ scope: 'project', scope_id: 'Todo', cap_usd: 1 }, 'scope_id: give the id of a project, or * for each one'],
    [{ scope: 'ticket', scope_id: '1', cap_usd: 1 }, 'scope_id: give the id of a ticket such as TKT-001, or * for each one'],
    [{ scope: 'agent', scope_id: "x'; --", cap_usd: 1 }, 'scope_id: give the kind of an agent such as codex, or * for each one'],
    [{ scope: 'galaxy', cap_usd: 1 }, 'scope'],
    [{ scope: 'tenant', cap_tokens: 1.5 }, 'cap_tokens'],
    [{ scope: 'tenant', cap_tokens: -1 }, 'cap_tokens'],
    [{ scope: 'tenant', cap_tokens: 1e16 }, 'cap_tokens'],
    [{ scope: 'tenant', cap_usd: 1, more: 1 }, 'more'],
    ...[-1, '-1', '1e3', '0.0000001', 1e-7, '1000000000', '', ' 1', '1,5', '$1', true, [1]].map(
      cap_usd => [{ scope: 'tenant', cap_usd }, 'cap_usd'] as const,
    ),
  ];
  test.each(refused)('refuses %j and says where it is wrong', async (body, says) => {
    const { status, body: answer } = await put(body);
    expect([status, String(answer['error'])]).toEqual([400, expect.stringContaining(says)]);
  });

  test('refuses one of what does not exist', async () => {
    for (const [scope, scope_id] of [
      ['project', nobody],
      ['spec', nobody],
      ['run', nobody],
      ['ticket', 'TKT-999'],
    ]) {
      expect([scope, (await put({ scope, scope_id, cap_usd: 1 })).status]).toEqual([scope, 404]);
    }
  });
});

describe('/api/costs', () => {
  beforeAll(async () => {
    await query(
      api.superuserUrl,
      `with r as (insert into skep.runs (tenant_id, subject_type, subject_id, attempt, state)
                  select tenant_id, 'spec_phase', 'x', 1, 'queued' from skep.projects where id = $1 returning tenant_id, id)
       insert into skep.model_calls (tenant_id, run_id, project_id, agent, wire, provider, model, is_recorded, state, reserved_microusd,
                                     reserved_tokens, input_tokens, output_tokens, cost_microusd, started_at, ended_at)
       select r.tenant_id, r.id, $1, 'planner', 'chat', 'recorded', 'demo', true, 'completed', 0, 0, 1000, 200, 1234567, '2026-01-02', now() from r`,
      [projectId],
    );
  });

  test('answers JSON, labelled where it was recorded', async () => {
    const { body } = await api.call('GET', `/api/costs?by=agent&project_id=${projectId}`);
    const note = 'recorded demo: nothing was paid';
    expect(body).toMatchObject({
      by: 'agent',
      rows: [{ key: 'planner', is_recorded: true, note, input_tokens: 1_000, cost_usd: '1.234567' }],
      total: { calls: 0, cost_usd: '0.00' },
      recorded_total: { calls: 1, cost_usd: '1.234567', note },
    });
  });

  test('answers CSV, as a text that is no page', async () => {
    const { status, headers, body } = await api.call('GET', '/api/costs?by=day&format=csv');
    expect([status, headers.get('content-type'), headers.get('x-content-type-options')]).toEqual([
      200,
      'text/csv; charset=utf-8',
      'nosniff',
    ]);
    const lines = String(body['text']).trimEnd().split('\r\n');
    expect(lines).toHaveLength(4);
    expect(lines[1]).toBe('2026-01-02,,recorded demo: nothing was paid,1,0,0,0,0,,1000,0,0,200,0,1.234567');
  });

  test.each(['by=colour', 'project_id=x', 'ticket_id=1', 'since=yesterday', 'format=xml'])('refuses %s', async filter => {
    expect((await api.call('GET', `/api/costs?${filter}`)).status).toBe(400);
  });
});
