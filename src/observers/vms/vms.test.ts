import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { WireVm } from '../../../contract/fleet/vms.ts';
import { query } from '../../../test/harness/database.ts';
import { type Answer, type TestApi, testApi } from '../../../test/harness/server.ts';

let api: TestApi;
beforeAll(async () => {
  api = await testApi();
});
afterAll(() => api.stop());

const limits = { memory_bytes: 1_024, process_count: 8, cpu_count: 0.5, tmp_bytes: 2_048, workspace_bytes: 4_096 };
const use = { memory_bytes: 512, processes: 3, cpu_ms: 7, workspace_bytes: null };
const kept = { memory: 'enforced', processes: 'enforced', cpu: 'advisory', tmp: 'none', workspace: 'none', output: 'enforced' };
const worth = { kind: 'local', isolation: 'namespaces', limits: { ...kept, time: 'enforced' }, network: 'enforced' };
const madeAt = '2026-01-02T03:04:05.678Z';

const report = (id: string, more: object = {}) => ({
  ...{ id, run_id: null, state: 'answering', made_at: madeAt, limits, use },
  ...more,
});

let count = 0;
/** One process of a worker. */
function worker(name = `w${++count}`) {
  const fixed = { incarnation: randomUUID(), host: `host of ${name}`, version: '1', slots: 2 };
  let isFirst = true;
  return {
    name,
    beat(sandboxes: readonly object[], more: object = {}): Promise<Answer> {
      const body = { ...fixed, is_first: isFirst, worth, sandboxes, ...more };
      isFirst = false;
      return api.call('PUT', `/api/workers/${name}`, body);
    },
  };
}

async function vms(filter = ''): Promise<WireVm[]> {
  const { status, body } = await api.call('GET', `/api/vms${filter}`);
  expect(status).toBe(200);
  return body['vms'] as WireVm[];
}

const ids = async (filter: string) => (await vms(filter)).map(({ id }) => id);
const kill = (id: string) => api.call('POST', `/api/vms/${id}/kill`);
const killed = async (id: string) =>
  query(api.superuserUrl, `select from skep.events where type = 'sandbox.killed' and subject_id = $1`, [id]);
const silence = (name: string, seconds: number, state = 'gone') =>
  query(
    api.superuserUrl,
    'update skep.workers set state = $3, beat_at = clock_timestamp() - make_interval(secs => $2) where name = $1',
    [name, seconds, state],
  );

describe('sandboxes', () => {
  test('are listed as their worker told of them last, and gone when it leaves', async () => {
    const one = worker();
    expect(await ids(`?worker=${one.name}`)).toEqual([]);
    await one.beat([]);
    await one.beat([report('b'), report('a', { state: 'frozen' })]);
    const [first, second] = await vms(`?worker=${one.name}`);
    expect(first).toEqual({
      ...{ id: 'a', worker: one.name, host: `host of ${one.name}`, kind: 'local', isolation: 'namespaces' },
      ...{ run_id: null, ticket_id: null, project_id: null, project: null, state: 'frozen', made_at: madeAt },
      ...{ age_ms: expect.any(Number), limits, use, heard_at: expect.any(String), kill: null },
    });
    expect(second?.id).toBe('b');
    expect((await api.call('GET', '/api/vms/b')).body).toMatchObject({ id: 'b', state: 'answering' });
    expect((await api.call('GET', '/api/v1/vms/b')).status).toBe(200);
    await one.beat([report('b', { use: { ...use, workspace_bytes: 9 } })]);
    expect(await vms(`?worker=${one.name}`)).toMatchObject([{ id: 'b', use: { workspace_bytes: 9 } }]);
    await one.beat([report('b')], { state: 'left' });
    expect(await ids(`?worker=${one.name}`)).toEqual([]);
    expect((await api.call('GET', '/api/vms/b')).status).toBe(404);
  });

  test('say of which run they are, and whose', async () => {
    const project = await api.call('POST', '/api/projects', { name: 'owner', agent: { kind: 'exec', command: ['true'] } });
    const projectId = String(project.body['id']);
    const [run] = await query<{ id: string }>(
      api.superuserUrl,
      `insert into skep.runs (tenant_id, subject_type, subject_id, attempt, state, project_id, ended_at)
       select tenant_id, 'spec_phase', 'x', 1, 'cancelled', id, now() from skep.projects where id = $1 returning id`,
      [projectId],
    );
    const one = worker();
    await one.beat([report(`${run?.id}-1`, { run_id: run?.id })]);
    expect(await vms(`?worker=${one.name}`)).toMatchObject([{ run_id: run?.id, project_id: projectId, project: 'owner' }]);
  });

  test('can be asked for by worker, state and the beginning of the id', async () => {
    const [one, two] = [worker(), worker()];
    await one.beat([report('pre-1'), report('pre-2', { state: 'idle' })]);
    await two.beat([report('pre-3', { state: 'idle' }), report('other')]);
    expect(await ids('?prefix=pre-')).toEqual(['pre-1', 'pre-2', 'pre-3']);
    expect(await ids('?prefix=pre-&state=idle')).toEqual(['pre-2', 'pre-3']);
    expect(await ids(`?prefix=pre-&state=idle&worker=${two.name}`)).toEqual(['pre-3']);
    expect(await ids('?prefix=pre%25')).toEqual([]);
    expect((await api.call('GET', '/api/vms?state=well')).status).toBe(400);
  });

  test('of a worker that fell silent are lost, until it is back or an hour is over', async () => {
    const one = worker();
    await one.beat([report('silent')]);
    await silence(one.name, 20);
    expect(await vms(`?worker=${one.name}`)).toMatchObject([{ id: 'silent', state: 'lost' }]);
    expect(await ids('?prefix=silent&state=lost')).toEqual(['silent']);
    await silence(one.name, 3_700);
    expect(await ids('?prefix=silent')).toEqual([]);
    await one.beat([report('silent')]);
    expect(await vms('?prefix=silent')).toMatchObject([{ state: 'answering' }]);
  });
});

describe('a kill', () => {
  test('is told to the worker that has it until it has it no more, and to no other', async () => {
    const [one, two] = [worker(), worker()];
    await one.beat([report('kill-1'), report('kill-2')]);
    await two.beat([report('kill-3')]);
    const answer = await kill('kill-1');
    expect([answer.status, answer.body]).toEqual([200, { id: 'kill-1', by: expect.any(String), at: expect.any(String) }]);
    const by = answer.body['by'];
    expect(await vms('?prefix=kill-1')).toMatchObject([{ kill: { by } }]);
    expect((await two.beat([report('kill-3')])).body['kills']).toEqual([]);
    expect((await one.beat([report('kill-1'), report('kill-2')])).body['kills']).toEqual([{ id: 'kill-1', by }]);
    expect((await one.beat([report('kill-1')], { state: 'draining' })).body['kills']).toEqual([{ id: 'kill-1', by }]);
    expect((await one.beat([report('kill-2')], { state: 'draining' })).body['kills']).toEqual([]);
  });

  test('that is said again changes nothing, also when the sandbox is gone', async () => {
    const one = worker();
    await one.beat([report('twice')]);
    const first = await kill('twice');
    const again = await Promise.all([kill('twice'), kill('twice')]);
    await one.beat([]);
    for (const { status, body } of [...again, await kill('twice')]) expect([status, body]).toEqual([200, first.body]);
    expect(await killed('twice')).toHaveLength(1);
  });

  test('said by two at once is of one of them', async () => {
    const one = worker();
    await one.beat([report('race')]);
    const answers = await Promise.all(Array.from({ length: 8 }, () => kill('race')));
    expect(new Set(answers.map(({ status, body }) => `${status} ${String(body['at'])}`)).size).toBe(1);
    expect(await killed('race')).toHaveLength(1);
  });

  test('of one that nobody tells of is refused', async () => {
    const { status, headers, body } = await kill('nobody');
    expect([status, headers.get('skep-fault')]).toEqual([404, 'sandbox_not_found']);
    expect(body['error']).toBe('No worker tells of a sandbox nobody');
  });
});

test.each([
  ['a name that is none', [report('../x')]],
  ['a run that is none', [report('x', { run_id: 'me' })]],
  ['a state that only silence makes', [report('x', { state: 'lost' })]],
  ['201 of them', Array.from({ length: 201 }, (_, i) => report(`x${i}`))],
  ['a field of its own', [report('x', { owner: 'me' })]],
  ['no limits', [report('x', { limits: {} })]],
])('a beat that tells of sandboxes with %s is refused', async (_, sandboxes) => {
  expect((await worker().beat(sandboxes)).status).toBe(400);
});
