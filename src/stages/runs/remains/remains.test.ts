import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Claimed } from '../../../../contract/runs.ts';
import { until } from '../../../../test/harness/process.ts';
import { ask } from '../../../../test/harness/raw.ts';
import { type TestApi, testApi } from '../../../../test/harness/server.ts';

const nobody = '6f4b5f0e-1111-4222-8333-444455556666';
const bundle = (text: string) => `# v2 git bundle\n${text}`;

let api: TestApi;
let project: string;
let worker: string;
let claimed: Claimed;
beforeAll(async () => {
  api = await testApi({ SKEP_LEASE_MS: '600000', SKEP_RUN_BUNDLE_BYTES_MAX: '5000', SKEP_RETRY_MS: '100' });
  const agent = { kind: 'exec', command: ['true'] };
  project = String((await api.call('POST', '/api/projects', { name: 'p', checks: [], agent })).body['id']);
  worker = await tokenOf('worker');
});
afterAll(() => api.stop());

/** Held by a worker of which nothing is heard any more. */
beforeEach(async () => {
  const ticketId = String((await api.call('POST', '/api/tickets', { project_id: project, title: 't' })).body['id']);
  claimed = await claim(ticketId);
});

async function tokenOf(role: string): Promise<string> {
  return String((await api.call('POST', '/api/tokens', { name: role, role })).body['secret']);
}

async function claim(ticketId: string): Promise<Claimed> {
  const wish = { worker: 'w', ticket_id: ticketId, wait_ms: 20_000, capabilities: ['agent:exec', 'isolation:namespaces'] };
  return (await api.call('POST', '/api/claim', wish)).body as unknown as Claimed;
}

interface Upload {
  readonly id?: string;
  readonly fence?: number | string;
  readonly token?: string;
  readonly type?: string;
}

async function rescue(body: string, upload: Upload = {}): Promise<{ status: number; body: Record<string, unknown> }> {
  const { id = claimed.run.id, fence = claimed.lease.fence, token = worker, type = 'application/octet-stream' } = upload;
  const headers = { authorization: `Bearer ${token}`, 'content-type': type };
  const answer = await ask(api.url, { method: 'PUT', path: `/api/runs/${id}/rescue?fence=${fence}`, headers, body });
  return { status: answer.status, body: JSON.parse(answer.text) as Record<string, unknown> };
}

const rescued = (id = claimed.run.id) => api.call('GET', `/api/runs/${id}/rescue`);
const bury = (fence: unknown = claimed.lease.fence, id = claimed.run.id) =>
  api.callAs(worker)('POST', `/api/runs/${id}/bury`, { fence });
const stateOf = async () => (await api.call('GET', `/api/runs/${claimed.run.id}`)).body['state'];

async function events(type: string): Promise<number> {
  const { body } = await api.call('GET', '/api/events?limit=500');
  const all = body['events'] as { type: string; subject: { id: string } }[];
  return all.filter(event => event.type === type && event.subject.id === claimed.run.id).length;
}

describe('work that a dead worker has left', () => {
  test('is kept once, changes nothing of the run, and is handed out again', async () => {
    expect((await rescued()).status).toBe(404);
    const { status, body } = await rescue(bundle('work'));
    expect([status, body['size']]).toEqual([200, 20]);
    expect(await rescue(bundle('work'))).toEqual({ status, body });
    expect(await stateOf()).toBe('leased');
    await until('the event is told', async () => ((await events('run.rescued')) === 1 ? true : undefined));
    expect((await rescued()).body['text']).toBe(bundle('work'));
    const held = { run_id: claimed.run.id, token: claimed.lease.token };
    expect((await api.call('POST', '/api/heartbeat', held)).status).toBe(200);
  });

  test('is also the conversation of its agent, which the next attempt is offered', async () => {
    const headers = { authorization: `Bearer ${worker}`, 'content-type': 'application/octet-stream' };
    const path = `/api/runs/${claimed.run.id}/rescue?fence=${claimed.lease.fence}&artifact=`;
    const put = (name: string, body: string) => ask(api.url, { method: 'PUT', path: path + name, headers, body });
    expect((await put('report.xml', 'x')).status).toBe(400);
    for (const text of ['said', 'said and heard']) expect((await put('conversation', text)).status).toBe(200);
    expect((await rescued()).status).toBe(404);
    await bury();
    const next = await claim(claimed.subject.id);
    expect(next.task.continues).toEqual({ run_id: claimed.run.id, conversation: true, ended: 'broken_off' });
    const kept = await api.callAs(worker)('GET', `/api/runs/${claimed.run.id}/conversation`);
    expect(kept.body['text']).toBe('said and heard');
  });

  test('is refused where it is none, too large, too much, or of somebody else', async () => {
    const viewer = await tokenOf('viewer');
    const cases: [status: number, answer: ReturnType<typeof rescue>][] = [
      [404, rescue(bundle('x'), { id: nobody })],
      [409, rescue(bundle('x'), { fence: claimed.lease.fence + 1 })],
      [400, rescue(bundle('x'), { fence: 0 })],
      [400, rescue(bundle('x'), { fence: 'first' })],
      [422, rescue('PK\u0003\u0004')],
      [422, rescue('')],
      [413, rescue(bundle('x'.repeat(5_000)))],
      [415, rescue(bundle('x'), { type: 'text/plain' })],
      [403, rescue(bundle('x'), { token: viewer })],
      [401, rescue(bundle('x'), { token: `${worker}x` })],
    ];
    for (const [status, answer] of cases) {
      const { body, ...got } = await answer;
      expect([status, body['error']]).toEqual([got.status, expect.any(String)]);
    }
    expect((await rescued()).status).toBe(404);
    for (let i = 1; i <= 6; i += 1) expect((await rescue(bundle(String(i)))).status).toBe(i <= 5 ? 200 : 413);
    expect((await rescued()).body['text']).toBe(bundle('5'));
  });

  test('of many who say it at once stays within its bound', async () => {
    const answers = await Promise.all(Array.from({ length: 12 }, (_, i) => rescue(bundle(String(i)))));
    expect(answers.filter(({ status }) => status === 200).length).toBeLessThanOrEqual(5);
  });
});

describe('a run whose holder is known to be dead', () => {
  test('is lost at once, and the next attempt can be claimed', async () => {
    const { status, body } = await bury();
    expect([status, (body['run'] as { state: string }).state]).toEqual([200, 'lost']);
    const held = { run_id: claimed.run.id, token: claimed.lease.token };
    expect((await api.call('POST', '/api/heartbeat', held)).status).toBe(409);
    const next = await claim(claimed.subject.id);
    expect(next.run.attempt).toBe(claimed.run.attempt + 1);
    expect((await bury()).status).toBe(409);
  });

  test('is buried by its own claim alone', async () => {
    const viewer = await tokenOf('viewer');
    const asViewer = api.callAs(viewer)('POST', `/api/runs/${claimed.run.id}/bury`, { fence: claimed.lease.fence });
    const cases: [status: number, answer: ReturnType<typeof bury>][] = [
      [404, bury(1, nobody)],
      [409, bury(claimed.lease.fence - 1)],
      [409, bury(claimed.lease.fence + 1)],
      [400, bury('x')],
      [400, bury(-1)],
      [400, bury(null)],
      [403, asViewer],
    ];
    for (const [status, answer] of cases) expect((await answer).status).toBe(status);
    expect(await stateOf()).toBe('leased');
  });
});
