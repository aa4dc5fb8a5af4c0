import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { artifactsMax, type Claimed } from '../../../../contract/runs.ts';
import { query } from '../../../../test/harness/database.ts';
import { ask } from '../../../../test/harness/raw.ts';
import { type TestApi, testApi } from '../../../../test/harness/server.ts';

const nobody = '6f4b5f0e-1111-4222-8333-444455556666';
const bytesMax = 5_000;

let api: TestApi;
let project: string;
const tokens: Record<string, string> = {};
let claimed: Claimed;
beforeAll(async () => {
  api = await testApi({ SKEP_LEASE_MS: '600000', SKEP_RUN_BUNDLE_BYTES_MAX: String(bytesMax) });
  const agent = { kind: 'exec', command: ['true'] };
  project = String((await api.call('POST', '/api/projects', { name: 'p', checks: [], agent })).body['id']);
  for (const role of ['worker', 'viewer'])
    tokens[role] = String((await api.call('POST', '/api/tokens', { name: role, role })).body['secret']);
});
afterAll(() => api.stop());

beforeEach(async () => {
  const ticketId = String((await api.call('POST', '/api/tickets', { project_id: project, title: 't' })).body['id']);
  const wish = { worker: 'w', ticket_id: ticketId, wait_ms: 20_000, capabilities: ['agent:exec', 'isolation:namespaces'] };
  claimed = (await api.call('POST', '/api/claim', wish)).body as unknown as Claimed;
});

interface Upload {
  readonly id?: string;
  readonly lease?: string;
  readonly role?: string;
  readonly type?: string;
}

async function put(
  name: string,
  body: string | Buffer,
  upload: Upload = {},
): Promise<{ status: number; body: Record<string, unknown> }> {
  const { id = claimed.run.id, lease = claimed.lease.token, role = 'worker', type = 'application/octet-stream' } = upload;
  const headers = { authorization: `Bearer ${tokens[role]}`, 'skep-lease': lease, 'content-type': type };
  const answer = await ask(api.url, { method: 'PUT', path: `/api/runs/${id}/artifacts/${name}`, headers, body });
  return { status: answer.status, body: JSON.parse(answer.text) as Record<string, unknown> };
}

const get = (path: string, role = 'viewer', id = claimed.run.id) =>
  ask(api.url, { path: `/api/runs/${id}/${path}`, headers: { authorization: `Bearer ${tokens[role]}` } });
const listed = async () =>
  (JSON.parse((await get('artifacts')).text) as { artifacts: { name: string; size: number; blob: string }[] }).artifacts;

test('what a worker keeps is listed by name and comes back byte by byte', async () => {
  expect(await listed()).toEqual([]);
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
  expect((await put('report.xml', bytes)).body).toMatchObject({ size: 256 });
  expect((await put('conversation', '<script>')).status).toBe(200);
  expect((await listed()).map(({ name, size }) => [name, size])).toEqual([
    ['conversation', 8],
    ['report.xml', 256],
  ]);
  const answer = await fetch(`${api.url}/api/runs/${claimed.run.id}/artifacts/report.xml`, {
    headers: { authorization: `Bearer ${tokens['viewer']}` },
  });
  expect(Buffer.from(await answer.arrayBuffer())).toEqual(bytes);
  const page = await get('artifacts/conversation');
  expect([page.text, page.headers['content-type'], page.headers['x-content-type-options']]).toEqual([
    '<script>',
    'application/octet-stream',
    'nosniff',
  ]);
});

test('said twice the last counts, also where it was said before the one in between', async () => {
  for (const text of ['a', 'b', 'a', 'a']) expect((await put('conversation', text)).status).toBe(200);
  expect([(await get('artifacts/conversation')).text, (await listed()).length]).toEqual(['a', 1]);
  await Promise.all(Array.from({ length: 8 }, (_, index) => put('conversation', `at once ${index}`)));
  expect([(await listed()).length, (await get('artifacts/conversation')).text]).toEqual([
    1,
    expect.stringMatching(/^at once [0-7]$/),
  ]);
});

test('the conversation is for workers, and the rest for people', async () => {
  await put('conversation', 'what was said');
  expect((await get('conversation', 'worker')).text).toBe('what was said');
  expect((await get('conversation', 'viewer')).status).toBe(403);
  expect((await get('artifacts', 'worker')).status).toBe(403);
  expect((await put('x', 'x', { role: 'viewer' })).status).toBe(403);
});

test('what is not there is 404', async () => {
  expect((await get('conversation', 'worker')).status).toBe(404);
  expect((await get('artifacts/conversation')).status).toBe(404);
  for (const path of ['artifacts', 'artifacts/x']) expect((await get(path, 'viewer', nobody)).status).toBe(404);
  expect((await put('x', 'x', { id: nobody })).status).toBe(404);
});

test('the lease decides who may write, before the bytes and after them', async () => {
  expect((await put('x', 'x', { lease: 'of another' })).status).toBe(409);
  await query(api.superuserUrl, 'update skep.runs set lease_expires_at = clock_timestamp() where id = $1', [claimed.run.id]);
  expect((await put('x', 'x')).status).toBe(409);
  expect(await listed()).toEqual([]);
});

test('bad names, types and sizes are refused with the reason', async () => {
  for (const name of ['X', '-x', '%2e%2e', 'a%2fb', 'a%00', 'x'.repeat(101), '.x', '%20'])
    expect([name, (await put(name, 'x')).status]).toEqual([name, 400]);
  expect((await put('x'.repeat(100), 'x')).status).toBe(200);
  expect((await put('x', '{}', { type: 'application/json' })).status).toBe(415);
  expect((await put('x', 'x'.repeat(bytesMax + 1))).status).toBe(413);
  expect((await put('x', 'x'.repeat(bytesMax))).status).toBe(200);
  expect((await put('empty', '')).status).toBe(200);
  expect((await listed()).map(({ name }) => name)).toEqual(['empty', 'x', 'x'.repeat(100)]);
});

test(`a run keeps at most ${artifactsMax} names; one that is there can still be replaced`, async () => {
  for (let index = 0; index < artifactsMax; index++) expect((await put(`a${index}`, 'x')).status).toBe(200);
  const refused = await put('one-more', 'x');
  expect([refused.status, refused.body['error']]).toEqual([413, `A run keeps at most ${artifactsMax} artifacts`]);
  expect((await put('a7', 'y')).status).toBe(200);
  expect((await get('artifacts/a7')).text).toBe('y');
});
