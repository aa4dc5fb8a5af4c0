import { afterAll, beforeAll, expect, test } from 'vitest';
import { type TestApi, testApi } from '../harness/server.ts';
import { approvedSession, card } from '../harness/story.ts';

/**
 * The contract of the product page, sections 3.1 to 3.4, as far as it exists: each literal path, field and text stands here once,
 * typed by hand and not taken from the code.
 */
let api: TestApi;
beforeAll(async () => {
  api = await testApi();
});
afterAll(() => api.stop());

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const nobody = '6f4b5f0e-1111-4222-8333-444455556666';

test('every route exists under /api and under /api/v1, and answers nobody without a token', async () => {
  const routes = [
    ['POST', '/hitl'],
    ['GET', '/hitl'],
    ['GET', `/hitl/${nobody}`],
    ['GET', `/hitl/${nobody}/messages`],
    ['POST', `/hitl/${nobody}/respond`],
    ['POST', `/hitl/${nobody}/generate-spec`],
    ['POST', `/hitl/${nobody}/approve`],
    ['POST', `/hitl/${nobody}/reject`],
    ['POST', `/hitl/${nobody}/start-build`],
    ['POST', `/hitl/${nobody}/cancel`],
    ['GET', `/specs/${nobody}`],
    ['GET', `/specs/${nobody}/execution-status`],
    ['GET', '/tickets'],
    ['POST', '/tickets'],
    ['GET', '/tickets/TKT-999'],
    ['PATCH', '/tickets/TKT-999'],
    ['POST', '/tickets/TKT-999/cancel'],
    ['POST', '/tickets/TKT-999/retry'],
    ['POST', '/claim'],
    ['POST', '/heartbeat'],
    ['POST', '/complete'],
    ['POST', '/park'],
    ['POST', '/fail'],
    ['POST', `/runs/${nobody}/log`],
    ['POST', `/runs/${nobody}/transcript`],
    ['POST', `/runs/${nobody}/events`],
    ['PUT', `/runs/${nobody}/bundle`],
    ['GET', '/transcripts'],
  ] as const;
  for (const prefix of ['/api', '/api/v1']) {
    for (const [method, path] of routes) {
      const refused = await fetch(`${api.url}${prefix}${path}`, { method });
      expect([method, path, refused.status]).toEqual([method, path, 401]);
      const known = await api.call(method, `${prefix}${path}`);
      expect([method, path, known.body['error']]).not.toEqual([method, path, `No such route: ${method} ${prefix}${path}`]);
    }
  }
});

test('/health and /ready answer everyone', async () => {
  expect(await (await fetch(`${api.url}/health`)).json()).toEqual({ status: 'ok' });
  expect(await (await fetch(`${api.url}/ready`)).json()).toEqual({ status: 'ready' });
});

test('start-build: the four answers, to the letter', async () => {
  const opened = await api.call('POST', '/api/hitl', { project_name: 'letters', description: 'say hello' });
  expect(opened.status).toBe(201);
  const path = `/api/hitl/${String(opened.body['id'])}/start-build`;

  for (const body of [undefined, {}, { confirmed: false }, { confirmed: 'true' }]) {
    const unconfirmed = await api.call('POST', path, body);
    expect([unconfirmed.status, unconfirmed.body]).toEqual([400, { error: 'User confirmation required' }]);
  }
  const unknown = await api.call('POST', `/api/hitl/${nobody}/start-build`, { confirmed: true });
  expect([unknown.status, unknown.body]).toEqual([404, { error: 'Session not found' }]);
  const early = await api.call('POST', path, { confirmed: true });
  expect([early.status, early.body]).toEqual([400, { error: 'Session must be approved', currentState: 'clarifying' }]);

  const session = await approvedSession(api, card('two', [{ title: 'first' }, { title: 'second', depends_on: ['first'] }]));
  const started = await api.call('POST', `/api/hitl/${session}/start-build`, { confirmed: true });
  expect(started.status).toBe(200);
  expect(Object.keys(started.body).sort()).toEqual(['epic_id', 'message', 'state', 'success', 'ticket_count']);
  expect(started.body).toMatchObject({ success: true, state: 'building', ticket_count: 2 });
  expect(started.body['epic_id']).toMatch(/^TKT-\d{3,}$/);
});

test('a start-build that is said 50 times at once builds once, and all hear the same', async () => {
  const session = await approvedSession(api, card('many', [{ title: 'only' }]));
  const answers = await Promise.all(
    Array.from({ length: 50 }, () => api.call('POST', `/api/hitl/${session}/start-build`, { confirmed: true })),
  );
  expect(new Set(answers.map(answer => JSON.stringify([answer.status, answer.body])))).toHaveLength(1);
  const { body } = await api.call('GET', `/api/tickets?session_id=${session}`);
  expect(body['tickets']).toHaveLength(2);
});

test('the session goes through its states with their progress', async () => {
  const seen: unknown[] = [];
  const opened = await api.call('POST', '/api/hitl', { project_name: 'steps', description: 'an idea' });
  const path = `/api/hitl/${String(opened.body['id'])}`;
  const look = async () => {
    const { body } = await api.call('GET', path);
    seen.push([body['state'], body['progress']]);
  };
  await look();
  await api.call('POST', `${path}/respond`, { message: 'in blue' });
  await api.call('POST', `${path}/generate-spec`, { spec_card: card('c', [{ title: 'a' }]) });
  await look();
  await api.call('POST', `${path}/reject`, { reason: 'not blue enough' });
  await look();
  await api.call('POST', `${path}/generate-spec`, { spec_card: card('c', [{ title: 'a' }]) });
  await api.call('POST', `${path}/approve`);
  await look();
  await api.call('POST', `${path}/start-build`, { confirmed: true });
  await look();
  await api.call('POST', `${path}/cancel`);
  await look();
  expect(seen).toEqual([
    ['clarifying', 20],
    ['reviewing', 60],
    ['clarifying', 20],
    ['approved', 80],
    ['building', 90],
    ['cancelled', 0],
  ]);
  const messages = await api.call('GET', `${path}/messages`);
  expect((messages.body['messages'] as { text: string }[]).map(({ text }) => text)).toEqual([
    'an idea',
    'in blue',
    'Rejected: not blue enough',
  ]);
});

test('a card can come with the session; one that is refused leaves neither session nor project', async () => {
  const wish = { project_name: 'at once', description: 'all in one' };
  const made = await api.call('POST', '/api/hitl', { ...wish, spec_card: card('c', [{ title: 'a' }]) });
  expect([made.status, made.body['state'], made.body['progress']]).toEqual([201, 'reviewing', 60]);
  const circle = card('c', [
    { title: 'a', depends_on: ['b'] },
    { title: 'b', depends_on: ['a'] },
  ]);
  const before = (await api.call('GET', '/api/hitl')).body;
  const refused = await api.call('POST', '/api/hitl', { ...wish, project_name: 'never', spec_card: circle });
  expect([refused.status, refused.body['error']]).toEqual([
    400,
    'features[0].depends_on: the dependencies form a cycle: a → b → a',
  ]);
  expect((await api.call('GET', '/api/hitl')).body).toEqual(before);
  expect((await api.call('GET', '/api/projects?name=never')).body).toEqual({ projects: [] });
});

test('a ticket has at least the promised fields', async () => {
  const session = await approvedSession(api, card('fields', [{ title: 'a', acceptance_criteria: ['it works'] }]));
  await api.call('POST', `/api/hitl/${session}/start-build`, { confirmed: true });
  const { body } = await api.call('GET', `/api/tickets?session_id=${session}&type=feature`);
  const [ticket] = body['tickets'] as Record<string, unknown>[];
  const promised =
    'id, tenant_id, session_id, spec_id, project_id, type, title, description, acceptance_criteria, status, parent_id, depends_on, priority, estimate, assigned_vm, branch_name, pr_url, attempts, created_at, updated_at';
  expect(Object.keys(ticket ?? {})).toEqual(expect.arrayContaining(promised.split(', ')));
  expect(ticket).toMatchObject({
    session_id: session,
    title: 'a',
    acceptance_criteria: ['it works'],
    status: 'ready',
    depends_on: [],
  });
  expect(ticket?.['id']).toMatch(/^TKT-\d{3,}$/);
  expect(ticket?.['spec_id']).toMatch(uuid);
});

test('execution status of a spec', async () => {
  const session = await approvedSession(api, card('status', [{ title: 'a' }, { title: 'b', depends_on: ['a'] }]));
  await api.call('POST', `/api/hitl/${session}/start-build`, { confirmed: true });
  const spec = String((await api.call('GET', `/api/hitl/${session}`)).body['spec_id']);
  const { body } = await api.call('GET', `/api/specs/${spec}/execution-status`);
  expect(body).toMatchObject({ status: 'executing_tasks', phase: 'EXECUTE', counts: { ready: 1, blocked: 1 } });
  expect(body['progress']).toEqual({ total: 2, completed: 0, percent: 0 });
});

test('the worker protocol: claim answers 204 or run, subject, ticket and lease; a lost lease gets 409 and changes nothing', async () => {
  const session = await approvedSession(api, card('protocol', [{ title: 'a' }]), 'protocol');
  await api.call('POST', `/api/hitl/${session}/start-build`, { confirmed: true });
  const [wanted] = (await api.call('GET', `/api/tickets?session_id=${session}&type=feature`)).body['tickets'] as { id: string }[];
  const none = await api.call('POST', '/api/claim', { worker: 'w', ticket_id: 'TKT-99999' });
  expect([none.status, none.body]).toEqual([204, {}]);
  const claimed = await api.call('POST', '/api/claim', { worker: 'w', wait_ms: 5_000, ticket_id: wanted?.id });
  expect(claimed.status).toBe(200);
  const { run, subject, ticket, lease } = claimed.body as Record<string, Record<string, unknown>>;
  expect(subject).toEqual({ type: 'ticket', id: wanted?.id });
  expect(ticket).toMatchObject({ id: wanted?.id, status: 'claimed', attempts: 1 });
  expect(Object.keys(lease ?? {})).toEqual(expect.arrayContaining(['token', 'fence', 'expires_at']));

  const stranger = { run_id: run?.['id'], token: 'not-the-token' };
  for (const path of ['/api/heartbeat', '/api/complete', '/api/park', '/api/fail']) {
    expect([path, (await api.call('POST', path, stranger)).status]).toEqual([path, 409]);
  }
  const same = await api.call('GET', `/api/runs/${String(run?.['id'])}`);
  expect(same.body).toMatchObject(run ?? {});
});
