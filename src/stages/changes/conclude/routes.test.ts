import { afterAll, beforeAll, expect, test } from 'vitest';
import { query } from '../../../../test/harness/database.ts';
import { type TestApi, testApi } from '../../../../test/harness/server.ts';
import { approvedSession, card } from '../../../../test/harness/story.ts';

let api: TestApi;
beforeAll(async () => {
  api = await testApi();
});
afterAll(() => api.stop());

const nobody = '6f4b5f0e-1111-4222-8333-444455556666';

/** A spec in work, of one feature that is completed and one that is open. */
async function halfBuilt(name: string): Promise<{ session: string; spec: string; open: string }> {
  const features = [{ title: 'a', acceptance_criteria: ['it works'] }, { title: 'b' }];
  const session = await approvedSession(api, card(name, features));
  await api.call('POST', `/api/hitl/${session}/start-build`, { confirmed: true });
  const { body } = await api.call('GET', `/api/tickets?session_id=${session}&type=feature`);
  const [done, open] = (body['tickets'] as { id: string }[]).map(ticket => ticket.id);
  await query(api.superuserUrl, `update tickets set status = 'completed', proof = 'unproven' where id = $1`, [done]);
  const spec = String((await api.call('GET', `/api/hitl/${session}`)).body['spec_id']);
  return { session, spec, open: String(open) };
}

test('a result is handed in, listed and validated, which ends what is left', async () => {
  const { session, spec, open } = await halfBuilt('whole');
  const made = await api.call('POST', `/api/specs/${spec}/results`, { summary: 'it is done' });
  expect(made.status).toBe(201);
  expect(made.body).toMatchObject({
    spec_id: spec,
    version: 1,
    state: 'submitted',
    proof: 'unproven',
    summary: 'it is done',
    criteria: ['it works'],
    submitted_by: expect.stringMatching(/^token:/),
    reason: null,
    decided_at: null,
  });
  expect(await api.call('GET', `/api/specs/${spec}/results`)).toMatchObject({ status: 200, body: { results: [made.body] } });

  const path = `/api/results/${String(made.body['id'])}/validate`;
  const decided = await api.call('POST', path, { valid: true });
  expect([decided.status, decided.body['state'], decided.body['decided_at']]).toEqual([200, 'validated', expect.any(String)]);
  expect(await api.call('POST', path, { valid: true })).toMatchObject({ status: 200, body: decided.body });
  const opposite = await api.call('POST', path, { valid: false, reason: 'no' });
  expect([opposite.status, opposite.body]).toEqual([409, { error: 'Version 1 is validated already', currentState: 'validated' }]);

  expect((await api.call('GET', `/api/tickets/${open}`)).body).toMatchObject({
    status: 'cancelled',
    status_reason: 'a result was found',
  });
  expect((await api.call('GET', `/api/hitl/${session}`)).body).toMatchObject({ state: 'completed', progress: 100 });
  expect((await api.call('GET', `/api/specs/${spec}`)).body).toMatchObject({ status: 'completed', phase: 'COMPLETE' });
});

test('what becomes of open tickets is a field of the spec', async () => {
  const { session, spec, open } = await halfBuilt('left alone');
  expect((await api.call('GET', `/api/specs/${spec}`)).body['on_result_found']).toBe('stop_all');
  const edited = await api.call('PATCH', `/api/specs/${spec}`, { on_result_found: 'do_nothing' });
  expect([edited.status, edited.body['on_result_found']]).toEqual([200, 'do_nothing']);
  const { body } = await api.call('POST', `/api/specs/${spec}/results`, { summary: 'enough' });
  await api.call('POST', `/api/results/${String(body['id'])}/validate`, { valid: true });
  expect((await api.call('GET', `/api/tickets/${open}`)).body['status']).not.toBe('cancelled');
  expect((await api.call('GET', `/api/hitl/${session}`)).body['state']).toBe('building');
});

test('a rejection needs its reason, and leaves the spec open for another', async () => {
  const { spec } = await halfBuilt('rejected');
  const { body } = await api.call('POST', `/api/specs/${spec}/results`, { summary: 'too early' });
  const path = `/api/results/${String(body['id'])}/validate`;
  const without = await api.call('POST', path, { valid: false });
  expect([without.status, without.body['error']]).toEqual([400, 'reason: say why it is rejected']);
  const rejected = await api.call('POST', path, { valid: false, reason: 'b is missing' });
  expect([rejected.status, rejected.body['state'], rejected.body['reason']]).toEqual([200, 'rejected', 'b is missing']);
  const next = await api.call('POST', `/api/specs/${spec}/results`, { summary: 'too early' });
  expect([next.status, next.body['version']]).toEqual([201, 2]);
});

test.each([
  ['GET', `/api/specs/${nobody}/results`, undefined, 404, 'spec_not_found'],
  ['POST', `/api/specs/${nobody}/results`, { summary: 'x' }, 404, 'spec_not_found'],
  ['PATCH', `/api/specs/${nobody}`, { on_result_found: 'stop_all' }, 404, 'spec_not_found'],
  ['POST', `/api/results/${nobody}/validate`, { valid: true }, 404, 'result_not_found'],
  ['POST', `/api/specs/${nobody}/results`, { summary: '' }, 400, 'invalid_request'],
  ['POST', `/api/specs/${nobody}/results`, {}, 400, 'invalid_request'],
  ['POST', `/api/specs/${nobody}/results`, { summary: 'x', proof: 'proven' }, 400, 'invalid_request'],
  ['PATCH', `/api/specs/${nobody}`, {}, 400, 'invalid_request'],
  ['PATCH', `/api/specs/${nobody}`, { on_result_found: 'stop' }, 400, 'invalid_request'],
  ['PATCH', `/api/specs/${nobody}`, { on_result_found: 'stop_all', status: 'completed' }, 400, 'invalid_request'],
  ['POST', `/api/results/${nobody}/validate`, { valid: 'true' }, 400, 'invalid_request'],
])('%s %s %j is %i %s', async (...[method, path, body, status, fault]) => {
  const answer = await api.call(method, path, body);
  expect([answer.status, answer.headers.get('skep-fault')]).toEqual([status, fault]);
});

test('a spec that is not in work takes no result', async () => {
  const session = await approvedSession(api, card('early', [{ title: 'a' }]));
  const spec = String((await api.call('GET', `/api/hitl/${session}`)).body['spec_id']);
  const answer = await api.call('POST', `/api/specs/${spec}/results`, { summary: 'done' });
  expect([answer.status, answer.body['currentStatus']]).toEqual([409, 'planning_complete']);
});
