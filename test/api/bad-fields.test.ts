import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type TestApi, testApi } from '../harness/server.ts';
import { stored } from '../harness/stored.ts';

let api: TestApi;
let project: string;
beforeAll(async () => {
  api = await testApi();
  project = String((await api.call('POST', '/api/projects', { name: 'bad input' })).body['id']);
});
afterAll(() => api.stop());

const nobody = '6f4b5f0e-1111-4222-8333-444455556666';

/** What is refused stores nothing, and the server lives: after each test, whatever it did. */
let before: unknown;
beforeEach(async () => {
  before = await stored(api.superuserUrl);
});
afterEach(async () => {
  expect(await stored(api.superuserUrl)).toEqual(before);
  expect((await fetch(`${api.url}/health`)).status).toBe(200);
});

const kinds = ['hitl', 'projects', 'specs', 'runs', 'trunks', 'reviews', 'changes'];

describe('fields and filters', () => {
  const refused = async (method: string, path: string, body?: unknown) => {
    const answer = await api.call(method, path, body);
    return [path, answer.status, answer.headers.get('skep-fault')];
  };

  test('an id that is no uuid is 400, one that is unknown 404', async () => {
    for (const id of [
      '1',
      'TKT-001',
      `${nobody}x`,
      nobody.slice(1),
      `{${nobody}}`,
      "'; drop table skep.events; --",
      '%F0%9F%90%9D',
    ])
      for (const kind of kinds)
        expect(await refused('GET', `/api/${kind}/${encodeURIComponent(id)}`)).toEqual([
          `/api/${kind}/${encodeURIComponent(id)}`,
          400,
          'invalid_request',
        ]);
    for (const kind of kinds) expect((await api.call('GET', `/api/${kind}/${nobody}`)).status).toBe(404);
  });

  test('a ticket id has one form', async () => {
    for (const id of ['1', 'TKT-1', 'tkt-001', 'TKT-0000000001', 'TKT-001 ', 'TKT-٠٠١', nobody])
      expect(await refused('GET', `/api/tickets/${encodeURIComponent(id)}`)).toEqual([
        `/api/tickets/${encodeURIComponent(id)}`,
        400,
        'invalid_request',
      ]);
    expect((await api.call('GET', '/api/tickets/TKT-999999999')).status).toBe(404);
    expect((await api.call('GET', '/api/tickets/TKT-1')).body['error']).toBe('id: a ticket id looks like TKT-001');
  });

  test('a limit, an offset and a cursor', async () => {
    for (const list of ['tickets', 'runs', 'events'])
      for (const limit of ['-1', '0', '501', '1.5', '1e400', 'x', '9007199254740993', '', 'NaN'])
        expect(await refused('GET', `/api/${list}?limit=${limit}`)).toEqual([
          `/api/${list}?limit=${limit}`,
          400,
          'invalid_request',
        ]);
    for (const offset of ['-1', '1.5', 'x', '1e400'])
      expect((await api.call('GET', `/api/runs/${nobody}/log?offset=${offset}`)).status).toBe(400);
  });

  test('a cursor of another list, or that was changed', async () => {
    const encode = (parts: unknown) => Buffer.from(JSON.stringify(parts)).toString('base64url');
    const event = String((await api.call('GET', '/api/events?limit=1')).body['next']);
    const cursors = [
      event,
      encode(['ticket', -1]),
      encode(['ticket', 1.5]),
      encode(['ticket', '1; drop table skep.events']),
      encode(['ticket', 2 ** 60]),
      encode(['ticket', { a: 1 }]),
      encode(['ticket']),
      encode({ 0: 'ticket' }),
      encode('ticket'),
      encode(['run', 'yesterday', nobody]),
      encode(['run', '2026-01-01T00:00:00.000Z', 'x']),
      encode(['run', '2026-01-01T00:00:00.000Z']),
      encode(['run', '9999999-01-01', nobody]),
      encode(['run']),
      'x',
      '%25',
      'null',
    ];
    for (const cursor of cursors) {
      for (const list of ['tickets', 'runs', ...(cursor === event ? [] : ['events'])])
        expect(await refused('GET', `/api/${list}?after=${cursor}`)).toEqual([
          `/api/${list}?after=${cursor}`,
          400,
          'invalid_cursor',
        ]);
    }
    // One that is repeated is a list and no cursor.
    expect((await api.call('GET', `/api/events?after=${event}&after=${event}`)).status).toBe(400);
  });

  test('a beyond-all position is an end, and not an error', async () => {
    const far = Buffer.from(JSON.stringify(['event', Number.MAX_SAFE_INTEGER])).toString('base64url');
    expect((await api.call('GET', `/api/events?after=${far}`)).body).toEqual({ events: [], next: far });
  });

  test('a decision on a change, checks and what a trunk is prepared with', async () => {
    const sha = 'a'.repeat(40);
    const names = (...all: string[]) => ({ checks: all.map(name => ({ name, command: ['true'] })) });
    const wrong: [method: string, path: string, bodies: unknown[]][] = [
      [
        'POST',
        `/api/changes/${nobody}/approve`,
        [undefined, {}, { head_sha: 'a' }, { head_sha: sha.toUpperCase() }, { head_sha: sha, by: 'me' }],
      ],
      ['POST', `/api/changes/${nobody}/reject`, [{}, { reason: '' }, { reason: 'x', head_sha: sha }]],
      ['POST', `/api/trunks/${nobody}/prepare`, [{ red_base: 'allow' }, { red_base: null }, { base: sha }]],
      [
        'POST',
        `/api/projects/${project}/inspect`,
        [{ title: '' }, { title: 'a'.repeat(201) }, { title: 1 }, { repository: '/x' }],
      ],
      [
        'PATCH',
        `/api/projects/${project}`,
        [{ test_changes: 'no' }, { red_base: 'ask' }, { checks: 'npm test' }, names('a', 'a'), names('')],
      ],
      [
        'PATCH',
        `/api/projects/${project}`,
        [{ checks: [{ name: 'a', command: [] }] }, { checks: [{ name: 'a', command: 'npm test' }] }],
      ],
    ];
    for (const [method, path, bodies] of wrong)
      for (const body of bodies)
        expect([body, ...(await refused(method, path, body))]).toEqual([body, path, 400, 'invalid_request']);
    for (const path of [
      'changes?state=done',
      'changes?trunk_id=x',
      'changes?limit=501',
      'reviews?ticket_id=1',
      'trunks?spec_id=x',
    ])
      expect(await refused('GET', `/api/${path}`)).toEqual([`/api/${path}`, 400, 'invalid_request']);
  });

  test('fields that nobody may set', async () => {
    for (const field of [
      'tenant_id',
      'status',
      'id',
      'attempts',
      'proof',
      'branch_name',
      'created_at',
      'session_id',
      'number',
      'spec_id',
    ]) {
      for (const [method, path, base] of [
        ['PATCH', '/api/tickets/TKT-001', { title: 'x' }],
        ['POST', '/api/tickets', { title: 'x', project_id: project }],
      ] as const) {
        const { status, body } = await api.call(method, path, { ...base, [field]: nobody });
        expect([method, field, status, body['error']]).toEqual([method, field, 400, `body: Unrecognized key: "${field}"`]);
      }
    }
    for (const field of ['tenant_id', 'id', 'role']) {
      expect((await api.call('PATCH', `/api/projects/${project}`, { repository: '/x', [field]: nobody })).status).toBe(400);
      expect((await api.call('POST', '/api/hitl', { project_id: project, description: 'x', [field]: nobody })).status).toBe(400);
    }
    expect((await api.call('POST', '/api/tokens', { name: 'x', role: 'root' })).status).toBe(400);
    expect((await api.call('POST', '/api/tokens', { name: 'x', role: 'viewer', tenant_id: nobody })).status).toBe(400);
    expect((await api.call('PATCH', '/api/tickets/TKT-001', {})).body['error']).toBe('body: give at least one field to change');
  });
});
