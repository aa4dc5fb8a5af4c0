import { execa } from 'execa';
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { clarified, designed, required, tasked } from '../../../../test/harness/plans.ts';
import { type Answer, testApi, type TestApi } from '../../../../test/harness/server.ts';
import { git, makeRepository, temporaryFolder } from '../../../../test/harness/worker.ts';

let api: TestApi;
beforeEach(async () => {
  api = await testApi();
});
afterEach(() => api.stop());

interface Held {
  readonly runId: string;
  readonly token: string;
  readonly task: {
    readonly commit: string;
    readonly plan: { readonly phase: string };
    readonly feedback: { text: string } | null;
  };
}

async function open(repository: string): Promise<string> {
  await api.call('POST', '/api/projects', { name: 'demo', repository, planner: { model: 'recorded/demo' } });
  const { status, body } = await api.call('POST', '/api/hitl', { project_name: 'demo', description: 'A list of things to do' });
  expect([status, body['state'], body['planning'], body['waiting_for']]).toEqual([
    201,
    'clarifying',
    { state: 'working', phase: 'CLARIFY', reason: null },
    null,
  ]);
  return String(body['id']);
}

async function claim(phase: string): Promise<Held> {
  const { status, body } = await api.call('POST', '/api/claim', {
    worker: 'w',
    capabilities: ['plan', 'isolation:namespaces'],
    wait_ms: 20_000,
  });
  expect(status).toBe(200);
  const { run, lease, subject, task } = body as Record<string, Record<string, unknown>>;
  expect([subject?.['type'], String(subject?.['id']).split(':')[1]]).toEqual(['spec_phase', phase]);
  return { runId: String(run?.['id']), token: String(lease?.['token']), task: task as unknown as Held['task'] };
}

function complete({ runId, token }: Held, output: object): Promise<Answer> {
  return api.call('POST', '/api/complete', { run_id: runId, token, result: { output } });
}

async function pass(phase: string, output: object): Promise<Held> {
  const held = await claim(phase);
  expect((await complete(held, output)).status).toBe(200);
  return held;
}

const session = async (id: string) => (await api.call('GET', `/api/hitl/${id}`)).body;

test('from an idea over questions and an answer to a spec, its approval and its tickets', async () => {
  const repository = makeRepository({ 'README.md': '# demo\n' });
  const id = await open(repository);
  await pass('CLARIFY', clarified('Dark mode?'));
  await expect.poll(async () => (await session(id))['waiting_for']).toBe('answers');
  const { body } = await api.call('GET', `/api/hitl/${id}/messages`);
  expect(body['messages']).toMatchObject([
    { author: 'person', questions: null },
    { author: 'clarifier', questions: clarified('Dark mode?').questions },
  ]);

  const answered = await api.call('POST', `/api/hitl/${id}/respond`, { message: 'Yes' });
  expect([answered.body['waiting_for'], answered.body['planning']]).toEqual([
    null,
    { state: 'working', phase: 'CLARIFY', reason: null },
  ]);
  await pass('CLARIFY', clarified());
  const held = await pass('REQUIREMENTS', required());
  await pass('DESIGN', designed());
  await pass('TASKS', tasked());
  expect(held.task.commit).toBe(git(repository, 'rev-parse', 'HEAD'));

  await expect.poll(async () => (await session(id))['state']).toBe('reviewing');
  const shown = await session(id);
  expect([shown['waiting_for'], shown['progress'], shown['planning']]).toEqual([
    'approval',
    60,
    { state: 'done', phase: 'TASKS', reason: null },
  ]);
  const spec = await api.call('GET', `/api/specs/${String(shown['spec_id'])}`);
  expect(spec.body).toMatchObject({
    status: 'planning_complete',
    phase: 'SYNC',
    card: { name: 'Todo list', features: [{ title: 'Task 1' }, { title: 'Task 2', depends_on: ['Task 1'] }] },
    plan: {
      requirements: [{ id: 'R1' }, { id: 'R2' }],
      design: designed(),
      tasks: [{ id: 'T1', requirements: ['R1'] }, { id: 'T2' }],
    },
  });
  expect((await api.call('POST', `/api/hitl/${id}/approve`, {})).body['waiting_for']).toBeNull();
  expect((await api.call('POST', `/api/hitl/${id}/start-build`, { confirmed: true })).body).toMatchObject({ ticket_count: 2 });
});

test('a server that stops in the middle goes on where it was', async () => {
  const id = await open(makeRepository({ 'a.txt': 'a' }));
  const clarify = await claim('CLARIFY');
  await api.restart();
  expect((await complete(clarify, clarified())).status).toBe(200);
  const requirements = await claim('REQUIREMENTS');
  expect((await complete(requirements, {})).status).toBe(200);
  await api.restart();
  const again = await claim('REQUIREMENTS');
  expect(again.task.feedback?.text).toContain('cannot be taken as it is');
  expect((await complete(again, required())).status).toBe(200);
  expect((await claim('DESIGN')).task.plan.phase).toBe('DESIGN');
  expect((await session(id))['planning']).toMatchObject({ state: 'working', phase: 'DESIGN' });
  const runs = await api.call('GET', '/api/runs');
  expect((runs.body['runs'] as { state: string }[]).map(({ state }) => state)).toEqual([
    'leased',
    'accepted',
    'returned',
    'accepted',
  ]);
});

describe('generate-spec', () => {
  test('begins with the defaults; the spec is there at once, without a card', async () => {
    const id = await open(makeRepository({ 'a.txt': 'a' }));
    await pass('CLARIFY', clarified('Dark?'));
    await expect.poll(async () => (await session(id))['waiting_for']).toBe('answers');
    const { status, body } = await api.call('POST', `/api/hitl/${id}/generate-spec`, {});
    expect([status, body['spec']]).toMatchObject([
      200,
      { status: 'executing_planning', phase: 'REQUIREMENTS', card: null, plan: null, version: 1 },
    ]);
    expect((await api.call('POST', `/api/hitl/${id}/start-build`, { confirmed: true })).status).toBe(400);
    await claim('REQUIREMENTS');
  });

  test('says what is missing where there is no planner, or no session', async () => {
    await api.call('POST', '/api/projects', { name: 'plain' });
    const { body } = await api.call('POST', '/api/hitl', { project_name: 'plain', description: 'd' });
    expect(body['planning']).toBeNull();
    const refused = await api.call('POST', `/api/hitl/${String(body['id'])}/generate-spec`, {});
    expect([refused.status, refused.headers.get('skep-fault')]).toEqual([422, 'no_model']);
    expect(refused.body['hint']).toContain('skep project set plain --planner MODEL');
    const nobody = await api.call('POST', `/api/hitl/${crypto.randomUUID()}/generate-spec`, {});
    expect(nobody.status).toBe(404);
  });
});

test('a worker fetches the commit of a plan, also from a copy that was lost; and that alone', async () => {
  const repository = makeRepository({ 'README.md': '# demo\n' });
  await open(repository);
  const { runId, token, task } = await claim('CLARIFY');
  const into = temporaryFolder();
  git(into, 'init', '--quiet', '--bare');
  const fetchCommit = (commit: string) => {
    const headers = [`Authorization: Bearer ${api.adminToken}`, `Skep-Lease: ${token}`].flatMap(header => [
      '-c',
      `http.extraHeader=${header}`,
    ]);
    return execa('git', ['-C', into, ...headers, 'fetch', '--quiet', `${api.url}/api/runs/${runId}/repository`, commit], {
      reject: false,
    });
  };
  expect((await fetchCommit(task.commit)).stderr).toBe('');
  expect(git(into, 'show', 'FETCH_HEAD:README.md')).toBe('# demo');
  const depot = join(api.home, 'depot');
  for (const name of readdirSync(depot)) rmSync(join(depot, name), { recursive: true });
  rmSync(join(into, 'objects'), { recursive: true });
  git(into, 'init', '--quiet', '--bare');
  expect((await fetchCommit(task.commit)).stderr).toBe('');
  git(repository, 'commit', '--quiet', '--allow-empty', '--message=other');
  expect((await fetchCommit(git(repository, 'rev-parse', 'HEAD'))).exitCode).not.toBe(0);
});
