import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createToken } from '../../src/support/access/index.ts';
import { type TestApi, testApi } from '../harness/server.ts';

let api: TestApi;
let projectId: string;
beforeAll(async () => {
  api = await testApi();
  projectId = String((await api.call('POST', '/api/projects', { name: 'Todo' })).body['id']);
});
afterAll(() => api.stop());

const nobody = '6f4b5f0e-1111-4222-8333-444455556666';
const put = (scope: string, scope_id: string, runs_max: unknown = 3) =>
  api.call('PUT', '/api/limits', { scope, scope_id, runs_max });
const typesOf = async (subject: string) =>
  ((await api.call('GET', `/api/events?subject=${subject}`)).body['events'] as { type: string }[]).map(({ type }) => type);
const another = async (name: string) => {
  const tenantId = await api.makeTenant(name);
  const made = await api.database.request({ tenantId, actor: 'test' }, tx => createToken(tx, { name, role: 'admin' }));
  return api.callAs(made.secret);
};

describe('limits', () => {
  test('are set, set anew, listed with what is held, and removed', async () => {
    expect(await put('tenant', '', 20)).toMatchObject({ status: 200, body: { runs_max: 20, runs_held: 0 } });
    await put('project', projectId.toUpperCase(), 4);
    await put('project', projectId, 5);
    await put('agent', 'codex');
    await put('worker', 'not-there-yet', 0);
    const { body } = await api.call('GET', '/api/limits');
    expect(body['limits']).toMatchObject([
      { scope: 'tenant', scope_id: '', runs_max: 20 },
      { scope: 'project', scope_id: projectId, runs_max: 5 },
      { scope: 'agent', scope_id: 'codex', runs_max: 3 },
      { scope: 'worker', scope_id: 'not-there-yet', runs_max: 0 },
    ]);
    for (const query of [
      'scope=tenant',
      `scope=project&scope_id=${projectId}`,
      'scope=agent&scope_id=codex',
      'scope=worker&scope_id=not-there-yet',
    ])
      expect((await api.call('DELETE', `/api/limits?${query}`)).status).toBe(200);
    expect((await api.call('GET', '/api/limits')).body).toEqual({ limits: [] });
    await expect.poll(() => typesOf(`project:${projectId}`)).toEqual(['limit.changed', 'limit.changed', 'limit.removed']);
  });

  test('say what is wrong with them', async () => {
    for (const [answer, status, says] of [
      [await put('project', nobody), 404, 'Project not found'],
      [await put('project', 'Todo'), 400, 'give the id of a project'],
      [await put('tenant', 'x'), 400, 'of the tenant itself there is no scope_id'],
      [await put('agent', 'Not An Agent'), 400, 'give the kind of an agent'],
      [await put('worker', ''), 400, 'give the name of a worker'],
      [await put('moon', 'x'), 400, 'scope'],
      [await put('tenant', '', -1), 400, 'runs_max'],
      [await put('tenant', '', 1.5), 400, 'runs_max'],
      [await put('tenant', '', 10_001), 400, 'runs_max'],
      [await put('tenant', '', '3'), 400, 'runs_max'],
      [await api.call('DELETE', '/api/limits?scope=agent&scope_id=codex'), 404, 'There is no such limit of the agent'],
    ] as const) {
      expect([answer.status, answer.body['error']]).toEqual([status, expect.stringContaining(says)]);
    }
  });

  test('of another tenant are neither seen nor taken away', async () => {
    const theirs = await another('limits of others');
    await theirs('PUT', '/api/limits', { scope: 'agent', scope_id: 'pi', runs_max: 1 });
    expect((await api.call('GET', '/api/limits')).body).toEqual({ limits: [] });
    expect((await api.call('DELETE', '/api/limits?scope=agent&scope_id=pi')).status).toBe(404);
    expect((await theirs('PUT', '/api/limits', { scope: 'project', scope_id: projectId, runs_max: 1 })).status).toBe(404);
    expect((await theirs('GET', '/api/limits')).body['limits']).toHaveLength(1);
  });
});

describe('the brake', () => {
  test('is off until it is pulled; the second click answers the same, and happens once', async () => {
    const call = await another('brake');
    const off = { state: 'off', reason: '', pulled_by: '', pulled_at: null, due_at: null, pulls: 0 };
    expect((await call('GET', '/api/brake')).body).toEqual(off);
    expect((await call('POST', '/api/brake/lift')).body).toEqual(off);
    const pulled = await call('POST', '/api/brake/pull', { reason: 'the machines move' });
    expect(pulled.body).toMatchObject({ state: 'on', reason: 'the machines move', due_at: null, pulls: 1 });
    expect(pulled.body['pulled_by']).toMatch(/^token:/);
    expect((await call('POST', '/api/brake/pull', { reason: 'another' })).body).toEqual(pulled.body);
    expect((await call('GET', '/api/brake')).body).toEqual(pulled.body);
    const lifted = await call('POST', '/api/brake/lift');
    expect(lifted.body).toMatchObject({ state: 'off', pulls: 0 });
    expect((await call('POST', '/api/brake/lift')).body).toEqual(lifted.body);
    const types = async () =>
      ((await call('GET', '/api/events')).body['events'] as { type: string }[])
        .map(({ type }) => type)
        .filter(type => type.startsWith('brake.'));
    await expect.poll(types).toEqual(['brake.pulled', 'brake.lifted']);
    expect((await api.call('GET', '/api/brake')).body).toEqual(off);
  });

  test('wants a reason that is one, and needs none', async () => {
    const call = await another('reasons');
    for (const reason of ['', '  ', 'x'.repeat(501), 7])
      expect((await call('POST', '/api/brake/pull', { reason })).status).toBe(400);
    expect((await call('POST', '/api/brake/pull')).body).toMatchObject({ state: 'on', reason: 'pulled by a person' });
  });
});

test('a claim that waits gets what the fall of a limit lets go', async () => {
  const call = await another('waiting');
  const agent = { kind: 'exec', command: ['true'] };
  const { body: project } = await call('POST', '/api/projects', { name: 'p', agent });
  await call('PUT', '/api/limits', { scope: 'tenant', scope_id: '', runs_max: 0 });
  const { body: ticket } = await call('POST', '/api/tickets', { project_id: project['id'], title: 't' });
  await expect.poll(async () => ((await call('GET', '/api/runs')).body['runs'] as object[]).length).toBe(1);
  const wish = { worker: 'w', capabilities: ['agent:exec', 'isolation:namespaces'], wait_ms: 20_000 };
  const claimed = call('POST', '/api/claim', wish);
  await call('DELETE', '/api/limits?scope=tenant');
  expect(await claimed).toMatchObject({ status: 200, body: { ticket: { id: ticket['id'] } } });
});
