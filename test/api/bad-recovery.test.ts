import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Claimed } from '../../contract/runs.ts';
import { query } from '../harness/database.ts';
import { ask } from '../harness/raw.ts';
import { type Answer, type TestApi, testApi } from '../harness/server.ts';

let api: TestApi;
let project: string;
beforeAll(async () => {
  api = await testApi({ SKEP_LEASE_MS: '60000', SKEP_RETRY_MS: '3600000' });
  const agent = { kind: 'exec', command: ['true'] };
  project = String((await api.call('POST', '/api/projects', { name: 'p', agent })).body['id']);
});
afterAll(() => api.stop());

const nobody = '6f4b5f0e-1111-4222-8333-444455556666';
const said = ({ status, headers, body }: Answer) => [status, headers.get('skep-fault'), body['error']];

/** A run of a new ticket, in the hands of a worker; and what says so in its requests. */
async function held(): Promise<Claimed & { readonly key: { readonly run_id: string; readonly token: string } }> {
  const ticket = await api.call('POST', '/api/tickets', { project_id: project, title: 'x' });
  const claim = { worker: 'w', ticket_id: String(ticket.body['id']), wait_ms: 20_000 };
  const claimed = (await api.call('POST', '/api/claim', claim)).body as unknown as Claimed;
  return { ...claimed, key: { run_id: claimed.run.id, token: claimed.lease.token } };
}

const runOf = async (id: string) => (await api.call('GET', `/api/runs/${id}`)).body;

/** Sends bytes to a run as its holder. */
const send = (
  { run, lease }: Claimed,
  what: string,
  { method = 'POST', type = 'text/plain', body }: { method?: string; type?: string; body: Buffer },
) =>
  ask(api.url, {
    ...{ method, body, path: `/api/runs/${run.id}/${what}` },
    headers: { authorization: `Bearer ${api.adminToken}`, 'skep-lease': lease.token, 'content-type': type },
  });

describe('a worker that there is not', () => {
  test.each(['drain', 'undrain'])('cannot be told to %s', async verb => {
    const answer = await api.call('POST', `/api/workers/nobody/${verb}`);
    expect(said(answer)).toEqual([404, 'worker_not_found', 'There is no worker named "nobody"']);
    expect(answer.body['hint']).toContain('skep worker list');
  });
});

describe('a lease token', () => {
  const verbs = ['heartbeat', 'complete', 'fail', 'park'];

  test.each(verbs)('that is wrong is refused by %s, and the run goes on', async verb => {
    const { key, run } = await held();
    const before = await runOf(run.id);
    const answer = await api.call('POST', `/api/${verb}`, { ...key, token: 'wrong' });
    expect(said(answer)).toEqual([409, 'lease_lost', 'The lease of this run is lost: the run is leased']);
    expect(answer.body).toMatchObject({
      state: 'leased',
      hint: expect.stringContaining('nothing of this request was kept') as string,
    });
    expect(await runOf(run.id)).toEqual(before);
  });

  test.each([
    ['', 'token: Too small'],
    ['x'.repeat(201), 'token: Too big'],
    [1, 'token: Invalid input'],
    [null, 'token: Invalid input'],
  ])('that can be none is said to be so: %j', async (token, message) => {
    const answer = await api.call('POST', '/api/heartbeat', { run_id: nobody, token });
    expect(said(answer)).toEqual([400, 'invalid_request', expect.stringContaining(message) as string]);
  });

  test('that has expired is refused, and the run is lost', async () => {
    const { key, run } = await held();
    await query(api.superuserUrl, `update runs set lease_expires_at = now() - interval '1 second' where id = $1`, [run.id]);
    const answer = await api.call('POST', '/api/heartbeat', key);
    expect(said(answer)).toEqual([
      409,
      'lease_lost',
      expect.stringMatching(/^The lease of this run is lost: the run is (leased|lost)$/),
    ]);
    await expect.poll(async () => (await runOf(run.id))['state']).toBe('lost');
    expect(said(await api.call('POST', '/api/complete', key))).toEqual([
      ...[409, 'lease_lost', 'The lease of this run is lost: the run is lost'],
    ]);
  });

  test('of another run opens only that one', async () => {
    const [mine, other] = [await held(), await held()];
    const answer = await api.call('POST', '/api/complete', { ...mine.key, run_id: other.run.id });
    expect(said(answer)).toEqual([409, 'lease_lost', 'The lease of this run is lost: the run is leased']);
  });

  test('of a run that there is not', async () => {
    const answer = await api.call('POST', '/api/heartbeat', { run_id: nobody, token: 'x' });
    expect(said(answer)).toEqual([404, 'run_not_found', 'Run not found']);
  });
});

describe('a completion', () => {
  test('that is said twice is one: the second answer is the first', async () => {
    const { key } = await held();
    const completion = { ...key, result: { summary: 'done' } };
    const [first, second] = [
      await api.call('POST', '/api/complete', completion),
      await api.call('POST', '/api/complete', completion),
    ];
    expect([first.status, second.status]).toEqual([200, 200]);
    const whatWasSaid = ({ body }: Answer) => (body['run'] as { result: unknown }).result;
    expect(whatWasSaid(second)).toEqual(whatWasSaid(first));
    const other = await api.call('POST', '/api/complete', { ...key, result: { summary: 'something else' } });
    expect([other.status, whatWasSaid(other)]).toEqual([200, whatWasSaid(first)]);
    const events = await api.call('GET', `/api/events?subject=${key.run_id}&limit=500`);
    expect((events.body['events'] as { type: string }[]).filter(({ type }) => type === 'run.submitted')).toHaveLength(1);
  });

  test('of what has failed is refused', async () => {
    const { key } = await held();
    await api.call('POST', '/api/fail', { ...key, message: 'x' });
    expect(said(await api.call('POST', '/api/complete', key))).toEqual([
      ...[409, 'lease_lost', 'The lease of this run is lost: the run is failed'],
    ]);
  });

  test.each(['runs', 'tickets'])('of a run that was cancelled, among %s, is refused', async what => {
    const { key, run, ticket } = await held();
    await api.call('POST', `/api/${what}/${what === 'runs' ? run.id : ticket?.id}/cancel`, what === 'runs' ? undefined : {});
    await expect.poll(async () => (await runOf(run.id))['state']).toBe('cancelled');
    const answer = await api.call('POST', '/api/complete', key);
    expect(said(answer)).toEqual([409, 'lease_lost', 'The lease of this run is lost: the run is cancelled']);
    expect(answer.body['state']).toBe('cancelled');
  });
});

describe('a heartbeat from the future', () => {
  test('cannot say so in its body', async () => {
    const { key } = await held();
    for (const field of ['at', 'lease_expires_at', 'now']) {
      const answer = await api.call('POST', '/api/heartbeat', { ...key, [field]: '2099-01-01T00:00:00Z' });
      expect(said(answer)).toEqual([400, 'invalid_request', `body: Unrecognized key: "${field}"`]);
    }
  });

  test('buys no time by its headers: a lease is as long as the database says', async () => {
    const { key } = await held();
    const headers = {
      ...{ authorization: `Bearer ${api.adminToken}`, 'content-type': 'application/json' },
      ...{ date: 'Thu, 01 Jan 2099 00:00:00 GMT', 'skep-time': '2099-01-01T00:00:00Z' },
    };
    const answer = await ask(api.url, { method: 'POST', path: '/api/heartbeat', headers, body: JSON.stringify(key) });
    const { lease } = JSON.parse(answer.text) as Claimed;
    const [{ left } = { left: 0 }] = await query<{ left: number }>(
      api.superuserUrl,
      'select extract(epoch from $1::timestamptz - clock_timestamp())::float as left',
      [lease.expires_at],
    );
    expect(left).toBeGreaterThan(30);
    expect(left).toBeLessThanOrEqual(60);
  });
});

describe('a log', () => {
  const line = Buffer.alloc(10 * 2 ** 20, 'x');

  test('line of 10 MB at once is refused with what there may be, and nothing of it is kept', async () => {
    const run = await held();
    const answer = await send(run, 'log?offset=0', { body: line });
    expect([answer.status, answer.headers['skep-fault'], JSON.parse(answer.text)]).toEqual([
      ...[413, 'too_large', expect.objectContaining({ error: expect.stringContaining('1048576') as string })],
    ]);
    expect((await send(run, 'log?offset=0', { body: Buffer.from('x') })).text).toBe('{"size":1}');
  });

  test('line of 10 MB in pieces is kept whole', async () => {
    const run = await held();
    for (let offset = 0; offset < line.length; offset += 2 ** 20)
      expect((await send(run, `log?offset=${offset}`, { body: line.subarray(offset, offset + 2 ** 20) })).status).toBe(200);
    const answer = await fetch(`${api.url}/api/runs/${run.run.id}/log`, {
      headers: { authorization: `Bearer ${api.adminToken}` },
    });
    expect(Buffer.from(await answer.arrayBuffer()).equals(line)).toBe(true);
  });

  test('that is no UTF-8 is kept as the bytes that it is', async () => {
    const run = await held();
    const body = Buffer.from([0x61, 0xff, 0xc3, 0x28, 0xed, 0xa0, 0x80, 0x00, 0x0a]);
    expect((await send(run, 'log?offset=0', { body })).status).toBe(200);
    const answer = await fetch(`${api.url}/api/runs/${run.run.id}/log`, {
      headers: { authorization: `Bearer ${api.adminToken}` },
    });
    expect(Buffer.from(await answer.arrayBuffer())).toEqual(body);
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
  });
});

test.each<[string, number[], number]>([
  ['a byte that begins no character', [0xff], 1],
  ['a character that is cut off', [0xc3], 1],
  ['half of a surrogate pair', [0xed, 0xa0, 0x80], 1],
  ['a longer form than needed', [0xc0, 0xaf], 1],
])('a body that is no UTF-8 is refused with its byte: %s', async (_, bytes, at) => {
  const { key, run } = await held();
  const before = await runOf(run.id);
  const [head, tail] = [Buffer.from(`{"run_id":"${key.run_id}","token":"${key.token}","message":"ä`), Buffer.from('"}')];
  const answer = await ask(api.url, {
    ...{ method: 'POST', path: '/api/fail', body: Buffer.concat([head, Buffer.from(bytes), tail]) },
    headers: { authorization: `Bearer ${api.adminToken}`, 'content-type': 'application/json' },
  });
  expect([answer.status, answer.headers['skep-fault'], (JSON.parse(answer.text) as { error: string }).error]).toEqual([
    ...[400, 'invalid_json', `The body is not valid UTF-8: byte ${head.length + at}`],
  ]);
  expect(await runOf(run.id)).toEqual(before);
});

describe('what a dead worker left', () => {
  const bundle = Buffer.from('# v2 git bundle\n');
  const bytes = 'application/octet-stream';

  test('is not taken for a run whose claim it is not: nothing is buried or kept', async () => {
    const { run, lease } = await held();
    const before = await runOf(run.id);
    const fence = lease.fence + 1;
    const buried = await api.call('POST', `/api/runs/${run.id}/bury`, { fence });
    expect([buried.status, buried.headers.get('skep-fault')]).toEqual([409, 'wrong_state']);
    const kept = await ask(api.url, {
      ...{ method: 'PUT', path: `/api/runs/${run.id}/rescue?fence=${fence}`, body: bundle },
      headers: { authorization: `Bearer ${api.adminToken}`, 'content-type': bytes },
    });
    expect([kept.status, kept.headers['skep-fault']]).toEqual([409, 'wrong_state']);
    expect(await runOf(run.id)).toEqual(before);
    expect(said(await api.call('GET', `/api/runs/${run.id}/rescue`))).toEqual([
      ...[404, 'blob_not_found', 'No work of this run was rescued'],
    ]);
  });

  test.each([0, -1, 1.5, '1', 2 ** 60])('has a fence, and %j is none', async fence => {
    const answer = await api.call('POST', `/api/runs/${nobody}/bury`, { fence });
    expect(said(answer)).toEqual([400, 'invalid_request', expect.stringMatching(/^fence: /) as string]);
  });
});
