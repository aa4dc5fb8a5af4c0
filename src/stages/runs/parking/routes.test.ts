import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Claimed } from '../../../../contract/runs.ts';
import { query } from '../../../../test/harness/database.ts';
import { ownerless } from '../../../../test/harness/ownerless.ts';
import { until } from '../../../../test/harness/process.ts';
import { type TestApi, testApi } from '../../../../test/harness/server.ts';
import { askAboutBudget } from './budget.ts';
import { haltRun } from '../run-token.ts';
import { setBudget } from '../../../support/budgets/index.ts';

let api: TestApi;
let project: string;
beforeAll(async () => {
  api = await testApi({ SKEP_LEASE_MS: '600000' });
  const agent = { kind: 'codex', model: 'openai/gpt-5-codex' };
  project = String((await api.call('POST', '/api/projects', { name: 'p', checks: [], agent })).body['id']);
});
afterAll(() => api.stop());

async function claim(ticketId: string): Promise<Claimed> {
  const wish = { worker: 'w', ticket_id: ticketId, wait_ms: 20_000, capabilities: ['agent:codex', 'isolation:namespaces'] };
  return (await api.call('POST', '/api/claim', wish)).body as unknown as Claimed;
}

const statusOf = async (id: string) => String((await api.call('GET', `/api/tickets/${id}`)).body['status']);
const becomes = (id: string, status: string) =>
  until(`${id} to be ${status}`, async () => ((await statusOf(id)) === status ? true : undefined));

/** A run of a new ticket that was parked over HTTP, as a worker does. */
async function parked(): Promise<{ ticketId: string; questionId: string; runId: string }> {
  const ticketId = String((await api.call('POST', '/api/tickets', { project_id: project, title: 't' })).body['id']);
  const { run, lease } = await claim(ticketId);
  expect((await api.call('POST', '/api/park', { run_id: run.id, token: lease.token })).status).toBe(409);
  const [{ tenantId }] = (await query<{ tenantId: string }>(api.superuserUrl, 'select tenant_id as "tenantId" from runs')) as [
    { tenantId: string },
  ];
  const questionId = await api.database.engine({ tenantId, actor: 'test' }, async tx => {
    const budget = await setBudget(tx, { scope: 'ticket', scopeId: ticketId, capMicroUsd: 500_000, capTokens: null });
    const spender = { tenantId, runId: run.id, projectId: project, specId: null, ticketId, agent: 'codex' };
    const id = await askAboutBudget(tx, { budget, message: 'The budget is spent', run: spender });
    await haltRun(tx, run.id, { kind: 'budget', message: 'The budget is spent', questionId: id });
    return id;
  });
  const held = { run_id: run.id, token: lease.token };
  expect((await api.call('POST', '/api/heartbeat', held)).body['halt']).toMatchObject({
    kind: 'budget',
    question_id: questionId,
  });
  expect((await api.call('POST', '/api/complete', held)).status).toBe(409);
  expect((await api.call('POST', '/api/park', held)).body['run']).toMatchObject({ state: 'parked' });
  expect(await statusOf(ticketId)).toBe('waiting');
  return { ticketId, questionId, runId: run.id };
}

test('a parked run waits through a restart, and goes on with what a person decides: another model', async () => {
  const { ticketId, questionId } = await parked();
  await api.restart();
  const { body } = await api.call('GET', `/api/questions?state=pending&ticket_id=${ticketId}`);
  expect(body['questions']).toMatchObject([
    {
      ...{
        id: questionId,
        kind: 'budget',
        project_id: project,
        due_at: null,
        text: 'The budget is spent. What it stops waits with its work.',
      },
      options: [{ id: 'raise:1.00' }, { id: 'model' }, { id: 'stop' }],
    },
  ]);
  const answer = { answer: 'model:openai/gpt-5-mini' };
  const said = await api.call('POST', `/api/questions/${questionId}/answer`, answer);
  expect([said.status, said.body['state']]).toEqual([200, 'answered']);
  await api.restart();
  const next = await claim(ticketId);
  expect([next.run.attempt, next.agent]).toMatchObject([2, { kind: 'codex', model: 'openai/gpt-5-mini' }]);
  expect(next.task.feedback?.text).toContain('The budget is spent');
  expect((await api.call('POST', `/api/questions/${questionId}/answer`, answer)).status).toBe(200);
  expect((await api.call('POST', `/api/questions/${questionId}/answer`, { answer: 'stop' })).status).toBe(409);
});

test('retry and cancel give parked work up, with its question', async () => {
  const [one, two] = [await parked(), await parked()];
  expect((await api.call('POST', `/api/tickets/${one.ticketId}/retry`, {})).status).toBe(200);
  await api.call('POST', `/api/tickets/${two.ticketId}/cancel`, { reason: 'no' });
  for (const { questionId, runId } of [one, two]) {
    await until('its question to be closed', async () =>
      (await api.call('GET', `/api/questions/${questionId}`)).body['state'] === 'expired' ? true : undefined,
    );
    expect((await api.call('GET', `/api/runs/${runId}`)).body['state']).toBe('cancelled');
  }
  expect((await claim(one.ticketId)).run.attempt).toBe(2);
  expect(await ownerless(api.superuserUrl)).toEqual([]);
});

test('stop fails what was parked, and an amount that is too small is refused', async () => {
  const { ticketId, questionId } = await parked();
  const answer = async (text: string) => (await api.call('POST', `/api/questions/${questionId}/answer`, { answer: text })).status;
  expect([await answer('raise:0.50'), await answer('yes'), await answer(''), await answer('stop')]).toEqual([400, 400, 400, 200]);
  await becomes(ticketId, 'failed');
});
