import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { until } from '../harness/process.ts';
import { ask } from '../harness/raw.ts';
import { type Answer, type TestApi, testApi } from '../harness/server.ts';
import { stored } from '../harness/stored.ts';
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

/** What is refused stores nothing, and the server lives: after each test, whatever it did. */
let before: unknown;
beforeEach(async () => {
  before = await stored(api.superuserUrl);
});
afterEach(async () => {
  expect(await stored(api.superuserUrl)).toEqual(before);
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
  ])('with %s', async (...[, wrong, fault, message]) => {
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
    // The first of the chain is queued by a job.
    await until('a run waits', async () => {
      const { body } = await api.call('GET', '/api/runs');
      return (body['runs'] as unknown[]).length > 0 || undefined;
    });
    before = await stored(api.superuserUrl);
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
      ['POST', '/api/projects', { name: 'x', agent: { kind: 'model', model: 'm', output: nul } }],
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
