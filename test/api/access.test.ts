import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { GuardedRoute } from '../../src/http/route.ts';
import { query } from '../harness/database.ts';
import { ask } from '../harness/raw.ts';
import { routesOf } from '../harness/routes.ts';
import { type TestApi, testApi } from '../harness/server.ts';

let api: TestApi;
let routes: readonly GuardedRoute[];
beforeAll(async () => {
  api = await testApi();
  routes = await routesOf(api);
});
afterAll(() => api.stop());

const nobody = '6f4b5f0e-1111-4222-8333-444455556666';
const roles = ['admin', 'member', 'viewer', 'worker'] as const;

/** Who may what, written down a second time: the code must agree. */
const allowed: Readonly<Record<GuardedRoute['need'], readonly string[]>> = {
  nothing: roles,
  read: ['admin', 'member', 'viewer'],
  write: ['admin', 'member'],
  work: ['admin', 'member', 'worker'],
  admin: ['admin'],
};

/** What only the token of a run opens, whoever else asks; each of these routes looks at it itself. */
const isForSandboxes = (url: string) => url.startsWith('/gateway/');
/** There a refusal is said in the words of the wire. */
const isOfWires = (url: string) => /^\/gateway\/(v1|\*)/.test(url);

const filled = (url: string, id = nobody) => url.replace(':id', url.includes('/tickets/') && id === nobody ? 'TKT-99999' : id);

async function secretOf(role: string, more: object = {}): Promise<{ id: string; secret: string }> {
  const { body } = await api.call('POST', '/api/tokens', { name: role, role, ...more });
  return { id: (body['token'] as { id: string }).id, secret: String(body['secret']) };
}

async function everyKindOfStranger(): Promise<[name: string, headers: Record<string, string>][]> {
  const expired = await secretOf('admin', { expires_in_s: 60 });
  await query(api.superuserUrl, 'update skep.tokens set expires_at = now() where id = $1', [expired.id]);
  const revoked = await secretOf('admin');
  await api.call('DELETE', `/api/tokens/${revoked.id}`);
  const good = api.adminToken;
  const headers = {
    expired: `Bearer ${expired.secret}`,
    revoked: `Bearer ${revoked.secret}`,
    unknown: `Bearer skep_${'a'.repeat(43)}`,
    'no secret': 'Bearer ',
    'another scheme': `Basic ${Buffer.from(`x:${good}`).toString('base64')}`,
    'no scheme': good,
    'two spaces': `Bearer  ${good}`,
    'something behind it': `Bearer ${good} x`,
    'another one before it': `Bearer x, Bearer ${good}`,
    quoted: `Bearer "${good}"`,
    'its hash': `Bearer ${Buffer.from(good).toString('base64url')}`,
    'part of it': `Bearer ${good.slice(0, -1)}`,
    'in capitals': `Bearer ${good.toUpperCase()}`,
    'a JWT without a signature': 'Bearer eyJhbGciOiJub25lIn0.eyJyb2xlIjoiYWRtaW4ifQ.',
    '8 KiB': `Bearer ${'a'.repeat(8_192)}`,
  };
  return [
    ['none', {}],
    ...Object.entries(headers).map(([name, authorization]): [string, Record<string, string>] => [name, { authorization }]),
  ];
}

describe('the route table', () => {
  test('is the whole of it: every route says what it needs, and both prefixes serve the same', () => {
    const under = (prefix: string) =>
      routes.filter(({ url }) => url.startsWith(prefix)).map(({ method, url, need }) => [method, url.slice(prefix.length), need]);
    const plain = under('/api/').filter(([, url]) => !String(url).startsWith('v1/'));
    expect(under('/api/v1/')).toEqual(plain);
    expect(plain.length).toBeGreaterThan(40);
    expect(
      routes
        .filter(({ need, url }) => need === 'nothing' && !isForSandboxes(url))
        .map(({ method, url }) => `${method} ${url}`)
        .sort(),
    ).toEqual(['GET /gateway', 'GET /health', 'GET /ready', 'HEAD /gateway', 'HEAD /health', 'HEAD /ready']);
    expect(
      routes
        .filter(({ url }) => isOfWires(url))
        .map(({ method, url }) => `${method} ${url}`)
        .sort(),
    ).toEqual([
      'GET /gateway/*',
      'GET /gateway/v1/models',
      'GET /gateway/v1beta/models',
      'HEAD /gateway/*',
      'HEAD /gateway/v1/models',
      'HEAD /gateway/v1beta/models',
      'POST /gateway/*',
      'POST /gateway/v1/chat/completions',
      'POST /gateway/v1/messages',
      'POST /gateway/v1/messages/count_tokens',
      'POST /gateway/v1/responses',
      'POST /gateway/v1beta/*',
    ]);
  });

  test('whoever is not known gets 401 everywhere, and nothing more', async () => {
    for (const [name, headers] of await everyKindOfStranger()) {
      for (const { method, url, need } of routes) {
        const { status, text } = await ask(api.url, { method, path: filled(url), headers });
        const fields = text === '' ? [] : Object.keys(JSON.parse(text) as object);
        const wireFields = url.includes('/messages') ? ['type', 'error'] : ['error'];
        const refused = [401, method === 'HEAD' ? [] : isOfWires(url) ? wireFields : ['error', 'hint']];
        const served = [200, method === 'HEAD' || url === '/gateway' ? [] : ['status']];
        const isOpen = need === 'nothing' && !isForSandboxes(url);
        expect([name, method, url, status, fields]).toEqual([name, method, url, ...(isOpen ? served : refused)]);
      }
    }
  });

  test.each(roles)('a token of the role %s gets 403 exactly where the role may not', async role => {
    const { secret } = await secretOf(role);
    for (const { method, url, need } of routes) {
      const { status } = await ask(api.url, { method, path: filled(url), headers: { authorization: `Bearer ${secret}` } });
      const wanted = isForSandboxes(url) ? 401 : allowed[need].includes(role) ? 'may' : 403;
      const got = [401, 403].includes(status) || status >= 500 ? status : 'may';
      expect([method, url, got]).toEqual([method, url, wanted]);
    }
  });

  test('a refused write changes nothing', async () => {
    const before = await query(api.superuserUrl, 'select count(*) from skep.events');
    const call = api.callAs((await secretOf('viewer')).secret);
    for (const [path, body] of [
      ['/api/projects', { name: 'refused' }],
      ['/api/hitl', { project_name: 'refused', description: 'x' }],
      ['/api/tokens', { name: 'refused', role: 'admin' }],
    ] as const) {
      expect([path, (await call('POST', path, body)).status]).toEqual([path, 403]);
    }
    // The token itself was one event.
    expect(await query(api.superuserUrl, 'select count(*) - 1 as count from skep.events')).toEqual(before);
  });
});

test('who may not is told which role may', async () => {
  const said = async (role: string, path: string) => (await api.callAs((await secretOf(role)).secret)('POST', path, {})).body;
  expect(await said('viewer', '/api/hitl')).toEqual({
    error: 'A viewer token may not do that',
    hint: 'It needs a token of the role member or admin',
  });
  expect(await said('member', '/api/tokens')).toMatchObject({ hint: 'It needs a token of the role admin' });
  expect(await said('viewer', '/api/claim')).toMatchObject({ hint: 'It needs a token of the role worker or member or admin' });
});

describe('where a token counts', () => {
  test('not in the query string, a cookie, the body or another header', async () => {
    const good = api.adminToken;
    for (const query of [`token=${good}`, `access_token=${good}`, `authorization=Bearer%20${good}`, `api_key=${good}`])
      expect((await ask(api.url, { path: `/api/projects?${query}` })).status).toBe(401);
    for (const header of ['cookie', 'x-api-key', 'x-forwarded-authorization', 'proxy-authorization', 'sec-websocket-protocol'])
      expect((await ask(api.url, { path: '/api/projects', headers: { [header]: `bearer.${good}` } })).status).toBe(401);
    const body = JSON.stringify({ token: good, description: 'x', project_name: 'x' });
    expect(
      (await ask(api.url, { method: 'POST', path: '/api/hitl', headers: { 'content-type': 'application/json' }, body })).status,
    ).toBe(401);
  });

  test('the scheme may be written in any case', async () => {
    for (const scheme of ['Bearer', 'bearer', 'BEARER'])
      expect(
        (await ask(api.url, { path: '/api/projects', headers: { authorization: `${scheme} ${api.adminToken}` } })).status,
      ).toBe(200);
  });

  test('an unknown route says 401 to strangers and 404 to others', async () => {
    for (const path of ['/', '/api', '/api/nowhere', '/api/v2/hitl', '/index.html', '/.git/config', '/.env']) {
      const stranger = await ask(api.url, { path });
      expect([path, stranger.status]).toEqual([path, 401]);
      const known = await ask(api.url, { path, headers: { authorization: `Bearer ${api.adminToken}` } });
      expect([path, known.status, JSON.parse(known.text)]).toMatchObject([path, 404, { error: `No such route: GET ${path}` }]);
    }
  });

  test('HEAD answers like GET without a body; OPTIONS and TRACE are no routes, and nobody is told that he may come from elsewhere', async () => {
    const authorization = `Bearer ${api.adminToken}`;
    expect(await ask(api.url, { method: 'HEAD', path: '/api/projects', headers: { authorization } })).toMatchObject({
      status: 200,
      text: '',
    });
    expect((await ask(api.url, { method: 'HEAD', path: '/api/projects' })).status).toBe(401);
    for (const method of ['OPTIONS', 'TRACE', 'PROPFIND', 'DELETE']) {
      const origin = 'http://evil.test';
      const stranger = await ask(api.url, { method, path: '/api/projects', headers: { origin } });
      const known = await ask(api.url, { method, path: '/api/projects', headers: { origin, authorization } });
      expect([method, stranger.status, known.status]).toEqual([method, 401, 404]);
      expect(known.text).not.toContain(api.adminToken);
      for (const { headers } of [stranger, known])
        expect(Object.keys(headers).filter(name => name.startsWith('access-control-'))).toEqual([]);
    }
  });
});
