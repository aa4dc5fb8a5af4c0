import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { query } from '../harness/database.ts';
import { ask, say } from '../harness/raw.ts';
import { type Answer, type TestApi, testApi } from '../harness/server.ts';
import { approvedSession, card } from '../harness/story.ts';

let api: TestApi;
let project: string;
let session: string;
beforeAll(async () => {
  api = await testApi();
  project = String((await api.call('POST', '/api/projects', { name: 'bad input' })).body['id']);
  session = String((await api.call('POST', '/api/hitl', { project_id: project, description: 'x' })).body['id']);
});
afterAll(() => api.stop());

const nobody = '6f4b5f0e-1111-4222-8333-444455556666';

/** How much is stored: events, and rows that a request could make. */
async function stored(): Promise<unknown> {
  const tables = ['events', 'projects', 'sessions', 'session_messages', 'specs', 'tickets', 'runs', 'tokens'];
  const found = await query<{ name: string }>(
    api.superuserUrl,
    `select table_name as name from information_schema.tables where table_schema = 'skep' and table_name = any ($1)`,
    [tables],
  );
  return query(
    api.superuserUrl,
    `select ${found.map(({ name }) => `(select count(*) from skep.${name}) as ${name}`).join(', ')}`,
  );
}

/** What is refused stores nothing, and the server lives: after each test, whatever it did. */
let before: unknown;
beforeEach(async () => {
  before = await stored();
});
afterEach(async () => {
  expect(await stored()).toEqual(before);
  expect((await fetch(`${api.url}/health`)).status).toBe(200);
});

/** What a refusal says, in short. */
const said = ({ status, body, headers }: Answer) => [status, headers.get('skep-fault'), body['error']];

async function post(path: string, text: string, type = 'application/json') {
  const answer = await ask(api.url, {
    method: 'POST',
    path,
    headers: { authorization: `Bearer ${api.adminToken}`, 'content-type': type },
    body: text,
  });
  const body = JSON.parse(answer.text) as Record<string, unknown>;
  return { status: answer.status, fault: answer.headers['skep-fault'], body, error: body['error'] };
}

describe('a spec card', () => {
  const handIn = (spec: unknown) => api.call('POST', `/api/hitl/${session}/generate-spec`, { spec_card: spec });

  test('with a cycle: the way round is named', async () => {
    const answer = await handIn(
      card('c', [
        { title: 'free' },
        { title: 'a', depends_on: ['c', 'free'] },
        { title: 'b', depends_on: ['a'] },
        { title: 'c', depends_on: ['b'] },
      ]),
    );
    expect(said(answer)).toEqual([
      400,
      'dependency_cycle',
      expect.stringMatching(/^features\[\d\].depends_on: the dependencies form a cycle: /),
    ]);
    const names = /cycle: (.*)$/.exec(String(answer.body['error']))?.[1]?.split(' → ') ?? [];
    expect(names).toHaveLength(4);
    expect(names[0]).toBe(names[3]);
    expect(new Set(names)).toEqual(new Set(['a', 'b', 'c']));
  });

  test('with a feature that depends on itself', async () => {
    expect(said(await handIn(card('c', [{ title: 'a', depends_on: ['a'] }])))).toEqual([
      400,
      'dependency_cycle',
      'features[0].depends_on: the dependencies form a cycle: a → a',
    ]);
  });

  test.each<[string, Readonly<Record<string, unknown>>, string, string]>([
    [
      'an unknown dependency',
      { features: [{ title: 'a' }, { title: 'b', depends_on: ['A'] }] },
      'unknown_dependency',
      'features[1].depends_on: there is no feature titled "A"',
    ],
    [
      'a title twice',
      { features: [{ title: 'a' }, { title: 'b' }, { title: ' a ' }] },
      'invalid_spec_card',
      'features[2].title: "a" is the title of features[0] too; dependencies name features by title',
    ],
    ['no features', { features: [] }, 'invalid_request', 'spec_card.features: a spec card needs at least one feature'],
    [
      '2,001 features',
      { features: Array.from({ length: 2_001 }, (_, n) => ({ title: `f${n}` })) },
      'invalid_request',
      'spec_card.features: a spec card has at most 2000 features',
    ],
    [
      'a title of blanks',
      { features: [{ title: ' ' }] },
      'invalid_request',
      expect.stringMatching(/^spec_card.features\[0\].title: /) as string,
    ],
    [
      'a long title',
      { features: [{ title: 'x'.repeat(201) }] },
      'invalid_request',
      expect.stringMatching(/^spec_card.features\[0\].title: .*200/) as string,
    ],
    [
      'a long description',
      { description: 'x'.repeat(100_001) },
      'invalid_request',
      expect.stringMatching(/^spec_card.description: .*100000/) as string,
    ],
    ['a field that is none', { feature: [] }, 'invalid_request', 'spec_card: Unrecognized key: "feature"'],
  ])('with %s', async (_name, wrong, fault, message) => {
    expect(said(await handIn({ name: 'c', description: '', features: [{ title: 'a' }], ...wrong }))).toEqual([
      400,
      fault,
      message,
    ]);
  });

  test('with many faults names them, and counts the rest', async () => {
    const { body } = await handIn(
      card(
        'c',
        Array.from({ length: 100 }, (_, n) => ({ title: `f${n}`, depends_on: ['gone'] })),
      ),
    );
    expect(body['issues']).toHaveLength(20);
    expect(body['issue_count']).toBe(100);
  });
});

describe('2,000 features', () => {
  test('are fine, in a chain', async () => {
    const features = Array.from({ length: 2_000 }, (_, n) => ({ title: `f${n}`, depends_on: n === 0 ? [] : [`f${n - 1}`] }));
    const built = await approvedSession(api, card('large', features), 'large');
    expect((await api.call('POST', `/api/hitl/${built}/start-build`, { confirmed: true })).body).toMatchObject({
      ticket_count: 2_000,
    });
    before = await stored();
  });
});

describe('a body', () => {
  const text = (description: string) => `{"project_id": "${project}",\n  "description": ${description}}`;

  test.each([
    ['{"description": "x",}', /^The body is not valid JSON: line 1, column 2\d: /],
    ['{\n  "description" "x"\n}', /^The body is not valid JSON: line 2, column 17: /],
    ['{"a": NaN}', /line 1, column 7/],
    ["{'a': 1}", /line 1, column 2/],
    ['{"a": 1} x', /line 1, column 10/],
    ['{"a": "\u0001"}', /line 1/],
    ['{"a": 1', /line 1/],
    ['\ufeff\ufeff{}', /line 1/],
    ['[[[[', /line 1, column 5/],
  ])('that is no JSON is refused with its place: %j', async (body, message) => {
    const answer = await post('/api/hitl', body);
    expect([answer.status, answer.fault]).toEqual([400, 'invalid_json']);
    expect(answer.error).toMatch(message);
    expect(Object.keys(answer.body)).toEqual(expect.arrayContaining(['line', 'column']));
  });

  test.each(['', ' ', '\n'])('that is empty is no body: %j', async body => {
    expect(await post('/api/hitl', body)).toMatchObject({
      status: 400,
      error: 'The body is missing',
      body: { hint: expect.stringContaining('application/json') as string },
    });
  });

  test.each(['[]', '"x"', '1', 'true', 'null'])('that is no object: %s', async body => {
    expect(await post('/api/hitl', body)).toMatchObject({ status: 400, fault: 'invalid_request' });
  });

  test.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/octet-stream',
    'text/html',
    'application/json-patch+json',
    'application/jsonx',
  ])('of the type %s is refused', async type => {
    const answer = await post('/api/hitl', text('"x"'), type);
    expect([answer.status, answer.fault]).toEqual([415, 'unsupported_media_type']);
  });

  test.each([
    '{"__proto__": {"admin": true}}',
    '{"x": {"__proto__": {"admin": true}}}',
    '{"constructor": {"prototype": {"admin": true}}}',
    '{"\\u005f_proto__": {"admin": true}}',
  ])('that reaches for prototypes is refused: %s', async body => {
    expect(await post('/api/hitl', body)).toMatchObject({ status: 400, fault: 'invalid_json' });
    expect(({} as Record<string, unknown>)['admin']).toBeUndefined();
  });

  test('that is 200,000 deep', async () => {
    for (const body of [
      `${'['.repeat(200_000)}${']'.repeat(200_000)}`,
      `${'{"a":'.repeat(200_000)}1${'}'.repeat(200_000)}`,
      '['.repeat(200_000),
    ]) {
      const answer = await post('/api/hitl', body);
      expect([answer.status, String(answer.error).length < 1_000]).toEqual([400, true]);
    }
    expect(await post('/api/hitl', text(`${'['.repeat(65)}${']'.repeat(65)}`))).toMatchObject({
      status: 400,
      error: expect.stringMatching(/^description\[0\].*: is nested deeper than 64 levels$/) as string,
    });
  });

  test('of 17 MB', async () => {
    const large = await post('/api/hitl', text(`"${'x'.repeat(17_000_000)}"`));
    expect([large.status, large.fault]).toEqual([413, 'too_large']);
  });

  test.each([
    ['1e400', 'description: is a number too large'],
    ['-1e400', 'description: is a number too large'],
    ['"a\\u0000b"', 'description: has the character U+0000, which cannot be stored'],
    ['["\\ud800"]', 'description[0]: has half of a surrogate pair, which is no character'],
    ['"\\udc00\\ud800"', 'description: has half of a surrogate pair, which is no character'],
    ['{"a\\u0000": 1}', 'description: the name of a field has the character U+0000, which cannot be stored'],
  ])('with %s', async (value, error) => {
    expect(await post('/api/hitl', text(value))).toMatchObject({ status: 400, fault: 'invalid_request', error });
  });

  test('with a long text', async () => {
    expect(await post('/api/hitl', text(`"${'x'.repeat(100_001)}"`))).toMatchObject({
      status: 400,
      error: expect.stringMatching(/^description: .*100000/) as string,
    });
  });

  test('with NUL in every other place that takes text', async () => {
    const nul = 'a\0b';
    const attempts: [string, string, unknown][] = [
      ['POST', '/api/projects', { name: nul }],
      ['POST', '/api/projects', { name: 'x', repository: `/x${nul}` }],
      ['POST', '/api/projects', { name: 'x', agent: { kind: 'exec', command: [nul] } }],
      ['PATCH', `/api/projects/${project}`, { repository: `/x${nul}` }],
      ['POST', '/api/hitl', { project_name: nul, description: 'x' }],
      ['POST', `/api/hitl/${session}/respond`, { message: nul }],
      ['POST', `/api/hitl/${session}/reject`, { reason: nul }],
      ['POST', `/api/hitl/${session}/generate-spec`, { spec_card: card('c', [{ title: nul }]) }],
      ['POST', '/api/tickets', { project_id: project, title: nul }],
      ['POST', '/api/tokens', { name: nul, role: 'viewer' }],
      ['POST', '/api/claim', { worker: nul }],
      ['POST', '/api/claim', { worker: 'w', capabilities: [nul] }],
      ['POST', '/api/fail', { run_id: nobody, token: 'x', message: nul }],
      ['POST', '/api/complete', { run_id: nobody, token: 'x', result: { summary: nul } }],
      ['POST', `/api/runs/${nobody}/events`, { token: 'x', type: 'x', payload: { deep: [{ x: nul }] } }],
      ['GET', '/api/projects?name=a%00b', undefined],
      ['GET', '/api/events?subject=a%00b', undefined],
      ['GET', '/api/tickets?after=a%00b', undefined],
      ['GET', '/api/runs?ticket_id=a%00b', undefined],
      ['GET', '/api/tickets/TKT-001%00', undefined],
      ['GET', `/api/hitl/${nobody}%00`, undefined],
    ];
    for (const [method, path, body] of attempts) {
      const answer = await api.call(method, path, body);
      expect([method, path, answer.status, answer.body['error']]).toEqual([
        method,
        path,
        400,
        expect.stringContaining('U+0000') as string,
      ]);
    }
  });
});

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
      for (const kind of ['hitl', 'projects', 'specs', 'runs'])
        expect(await refused('GET', `/api/${kind}/${encodeURIComponent(id)}`)).toEqual([
          `/api/${kind}/${encodeURIComponent(id)}`,
          400,
          'invalid_request',
        ]);
    for (const kind of ['hitl', 'projects', 'specs', 'runs'])
      expect((await api.call('GET', `/api/${kind}/${nobody}`)).status).toBe(404);
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

describe('addresses', () => {
  const authorization = () => ({ authorization: `Bearer ${api.adminToken}` });

  test('double slashes, dots and encodings lead nowhere, and never round the guard', async () => {
    const viewer = String((await api.call('POST', '/api/tokens', { name: 'v', role: 'viewer' })).body['secret']);
    before = await stored();
    const paths = [
      '//api/tokens',
      '/api//tokens',
      '/api/tokens//',
      '/api/hitl/../tokens',
      '/api/hitl/%2e%2e/tokens',
      '/api/hitl/..%2ftokens',
      '/api/%2ftokens',
      '/api%2ftokens',
      '/API/tokens',
      '/api/Tokens',
      '/api/tokens%00',
      '/api/tokens%20',
      '/api/tokens;x=1',
      '/api/tokens/.',
      '/health/../api/tokens',
      '/health/%2e%2e/api/tokens',
      '/api/%74okens',
      '/api/tokens?x',
      '/api/tokens#x',
      '/api/v1/%74okens/',
      '\\api\\tokens',
      '/api/%c0%af/tokens',
      '/%',
      '/api/tokens%',
      `http://evil.test/api/tokens`,
      '/'.repeat(5_000),
      `/api/${'x'.repeat(8_000)}`,
      '*',
    ];
    for (const path of paths) {
      const stranger = await ask(api.url, { path });
      expect([path, [400, 401, 404].includes(stranger.status), stranger.text.includes('"tokens":')]).toEqual([path, true, false]);
      const seen = await ask(api.url, { path, headers: { authorization: `Bearer ${viewer}` } });
      expect([path, [400, 403, 404].includes(seen.status), seen.text.includes('"tokens":')]).toEqual([path, true, false]);
    }
    for (const path of ['/%', '/api/tokens%', '/api/%c0%af/tokens']) {
      const { status, text, headers } = await ask(api.url, { path, headers: authorization() });
      expect([path, status, headers['skep-fault'], Object.keys(JSON.parse(text) as object)]).toEqual([
        path,
        400,
        'invalid_request',
        expect.arrayContaining(['error']),
      ]);
    }
  });

  test('a slash at the end is forgiven', async () => {
    expect((await ask(api.url, { path: '/api/projects/', headers: authorization() })).status).toBe(200);
  });
});

describe('on the wire', () => {
  const head = (lines: readonly string[]) =>
    [
      'POST /api/projects HTTP/1.1',
      'Host: x',
      `Authorization: Bearer ${api.adminToken}`,
      'Content-Type: application/json',
      ...lines,
      '',
      '',
    ].join('\r\n');
  const body = '{"name":"smuggled"}';
  const chunked = `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
  const second = 'POST /api/projects HTTP/1.1\r\nHost: x\r\n\r\n';

  test.each([
    ['a length and chunks', () => head([`Content-Length: ${body.length}`, 'Transfer-Encoding: chunked']) + chunked],
    ['chunks and a length', () => head(['Transfer-Encoding: chunked', 'Content-Length: 4']) + chunked],
    ['two lengths', () => head([`Content-Length: ${body.length}`, 'Content-Length: 5']) + body],
    ['two lengths in one', () => head([`Content-Length: ${body.length}, 5`]) + body],
    ['a negative length', () => head(['Content-Length: -1']) + body],
    ['an unknown coding', () => head(['Transfer-Encoding: xchunked']) + chunked],
    ['a blank before the colon', () => head(['Transfer-Encoding : chunked']) + chunked],
    ['a broken chunk', () => `${head(['Transfer-Encoding: chunked'])}zz\r\n${body}\r\n0\r\n\r\n`],
    ['a chunk longer than it says', () => `${head(['Transfer-Encoding: chunked'])}2\r\n${body}\r\n0\r\n\r\n${second}`],
    ['bare line feeds', () => head([`Content-Length: ${body.length}`]).replaceAll('\r\n', '\n') + body],
    ['a folded header', () => head(['X: a', ' b', `Content-Length: ${body.length}`]) + body],
    ['a NUL in a header', () => head([`X: a\0b`, `Content-Length: ${body.length}`]) + body],
    ['no host', () => head([`Content-Length: ${body.length}`]).replace('Host: x\r\n', '') + body],
    ['another protocol', () => 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['no HTTP at all', () => '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello\r\n\r\n'],
  ])('%s is refused, and nothing behind it is read', async (_name, bytes) => {
    const heard = await say(api.url, bytes());
    expect(heard).toMatch(/^HTTP\/1\.1 400 /);
    expect(heard.match(/HTTP\/1\.1/g)).toHaveLength(1);
  });

  test('headers of more than 16 KiB, and very many', async () => {
    expect(await say(api.url, head([`X: ${'x'.repeat(17_000)}`]))).toMatch(/^HTTP\/1\.1 431 /);
    expect(await say(api.url, head(Array.from({ length: 3_000 }, (_, n) => `X-${n}: x`)))).toMatch(/^HTTP\/1\.1 431 /);
    const chunks = `${head(['Transfer-Encoding: chunked'])}2;${'x'.repeat(20_000)}\r\n{}\r\n0\r\n\r\n`;
    expect(await say(api.url, chunks)).toMatch(/^HTTP\/1\.1 4(00|13) /);
  });

  test('a body that ends before its length stores nothing', async () => {
    expect(await say(api.url, `${head(['Content-Length: 100'])}{"name":"half"`, { end: true })).toMatch(/^HTTP\/1\.1 400 /);
  });
});
