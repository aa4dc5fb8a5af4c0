import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ask, say } from '../harness/raw.ts';
import { type TestApi, testApi } from '../harness/server.ts';
import { stored } from '../harness/stored.ts';

let api: TestApi;
beforeAll(async () => {
  api = await testApi();
});
afterAll(() => api.stop());

/** What is refused stores nothing, and the server lives: after each test, whatever it did. */
let before: unknown;
beforeEach(async () => {
  before = await stored(api.superuserUrl);
});
afterEach(async () => {
  expect(await stored(api.superuserUrl)).toEqual(before);
  expect((await fetch(`${api.url}/health`)).status).toBe(200);
});

describe('addresses', () => {
  const authorization = () => ({ authorization: `Bearer ${api.adminToken}` });

  test('double slashes, dots and encodings lead nowhere, and never round the guard', async () => {
    const viewer = String((await api.call('POST', '/api/tokens', { name: 'v', role: 'viewer' })).body['secret']);
    before = await stored(api.superuserUrl);
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
