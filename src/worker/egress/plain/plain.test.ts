import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startEgress, startHost } from '../../../../test/harness/egress.ts';
import type { TestEgress, TestHost } from '../../../../test/harness/egress.ts';
import {
  doubleFramings,
  framedTwice,
  hostSaidIn,
  plainRefusals,
  proxiedAddresses,
  proxiedRules,
} from '../../../../test/samples/proxied.ts';

let host: TestHost;
let egress: TestEgress;
let at: string;

const looked: string[] = [];
/** What the host has read with each request. */
const bodies: string[] = [];

beforeAll(async () => {
  host = await startHost((request, response) => {
    if (request.url === '/moved') response.writeHead(302, { location: 'http://evil.test/' });
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.once('end', () => {
      bodies.push(body);
      response.end('ok');
    });
  });
  const { port } = host;
  at = String(port);
  const lookup = async (name: string): Promise<readonly string[]> => {
    looked.push(name);
    return proxiedAddresses[name] ?? [];
  };
  egress = await startEgress({ rules: proxiedRules(port), lookup, idleMs: 3_000 });
});
beforeEach(() => {
  host.seen.length = 0;
  looked.length = 0;
  bodies.length = 0;
  egress.refused.length = 0;
});
afterAll(() => {
  egress.close();
  host.close();
});

const end = 'Connection: close\r\n\r\n';
const ask = (target: string, headers = '', method = 'GET'): Promise<string> =>
  egress.say(`${method} ${target} HTTP/1.1\r\n${headers}${end}`);
/** `HTTP/1.1 200 OK` */
const statusOf = (answer: string): string => answer.split(' ')[1] ?? 'none';

describe('plain http', () => {
  it.each([
    ['http://allowed.test:PORT/a?b=c', 'allowed.test:PORT', 'GET /a?b=c allowed.test:PORT'],
    ['HTTP://ALLOWED.test:PORT', 'Allowed.Test:PORT', 'GET / allowed.test:PORT'],
    ['http://allowed.test.:PORT/', 'allowed.test:PORT', 'GET / allowed.test:PORT'],
    ['http://allowed.test:PORT?x', 'allowed.test:PORT', 'GET /?x allowed.test:PORT'],
    ['http://below.wide.test:PORT/../%2e%2e//x', 'below.wide.test:PORT', 'GET /../%2e%2e//x below.wide.test:PORT'],
    ['http://127.0.0.1:PORT/', '127.0.0.1:PORT', 'GET / 127.0.0.1:PORT'],
  ])('%s with Host %s is asked as %s', async (target, said, is) => {
    const put = (text: string): string => text.replaceAll('PORT', at);
    expect(statusOf(await ask(put(target), `Host: ${put(said)}\r\n`))).toBe('200');
    expect(host.seen).toEqual([put(is)]);
    expect(egress.refused).toEqual([]);
  });

  it.each(plainRefusals.map(([target, reason, said]) => [JSON.stringify(target), said ?? '', reason, target, said] as const))(
    '%s with Host %j is refused: %s',
    async (...[, , reason, target, said]) => {
      const put = (text: string): string => text.replaceAll('PORT', at);
      const answer = await ask(put(target), `Host: ${put(said ?? hostSaidIn(target))}\r\n`);
      expect(egress.refused.map(refusal => refusal.reason)).toEqual(reason === 'none' ? [] : [reason]);
      expect(statusOf(answer)).toMatch(reason === 'none' ? /^(none|400)$/ : /^403$/);
      expect(host.seen).toEqual([]);
    },
  );

  it('asks by the methods of a rule alone, and never TRACE', async () => {
    const statuses = [];
    for (const [name, method] of [
      ['narrow.test', 'GET'],
      ['narrow.test', 'POST'],
      ['allowed.test', 'TRACE'],
    ] as const) {
      statuses.push(statusOf(await ask(`http://${name}:${at}/`, `Host: ${name}:${at}\r\n`, method)));
    }
    expect(statuses).toEqual(['200', '403', '403']);
    expect(egress.refused.map(({ host: name, method, reason }) => [name, method, reason])).toEqual([
      ['narrow.test', 'POST', 'method'],
      ['allowed.test', 'TRACE', 'method'],
    ]);
  });

  it('says why, and what a person is told of it', async () => {
    const answer = await ask('http://evil.test/', 'Host: evil.test\r\n');
    expect(answer).toContain('GET evil.test:80 was refused: no rule of the project names it');
    expect(egress.refused).toEqual([{ host: 'evil.test', port: 80, method: 'GET', reason: 'host' }]);
    expect(looked).toEqual([]);
  });

  it('a name is looked up once for each request, and one without an address is no refusal', async () => {
    await ask(`http://allowed.test:${at}/`, `Host: allowed.test:${at}\r\n`);
    expect(looked).toEqual(['allowed.test']);
    expect(statusOf(await ask(`http://nowhere.test:${at}/`, `Host: nowhere.test:${at}\r\n`))).toBe('502');
    expect(egress.refused).toEqual([]);
  });

  it('a redirect is the answer: who follows it asks again', async () => {
    const answer = await ask(`http://allowed.test:${at}/moved`, `Host: allowed.test:${at}\r\n`);
    expect(statusOf(answer)).toBe('302');
    expect(answer.toLowerCase()).toContain('location: http://evil.test/');
    expect(host.seen).toHaveLength(1);
    expect(looked).toEqual(['allowed.test']);
  });

  it('a WebSocket in the plain is refused, another upgrade left out', async () => {
    const head = `Host: allowed.test:${at}\r\nConnection: Upgrade\r\n`;
    const upgrade = (to: string): Promise<string> =>
      egress.say(
        `GET http://allowed.test:${at}/ HTTP/1.1\r\n${head}Upgrade: ${to}\r\n\r\nGET http://evil.test/ HTTP/1.1\r\n${end}`,
      );
    expect(statusOf(await upgrade('websocket'))).toBe('403');
    expect(egress.refused.map(({ reason }) => reason)).toEqual(['upgrade']);
    expect(statusOf(await upgrade('h2c'))).toBe('200');
  });

  it('HTTP/2 is not spoken', async () => {
    await egress.say('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0');
    expect(host.seen).toEqual([]);
  });

  it('who is silent is left after a time', async () => {
    const started = performance.now();
    await egress.say('GET http://allowed');
    expect(performance.now() - started).toBeLessThan(20_000);
  });
});

describe('a body that holds a request of its own', () => {
  const inner = (): string => `GET /inner HTTP/1.1\r\nHost: allowed.test:${at}\r\n\r\n`;
  const length = (): number => inner().length;
  const framed: Readonly<Record<string, () => string>> = {
    plain: () => `Content-Length: ${length()}\r\n\r\n${inner()}`,
    chunked: () => `Transfer-Encoding: chunked\r\n\r\n${length().toString(16)}\r\n${inner()}\r\n0\r\n\r\n`,
    named: () => `Connection: content-length\r\nContent-Length: ${length()}\r\n\r\n${inner()}`,
    'named, in chunks': () =>
      `Connection: transfer-encoding\r\nTransfer-Encoding: chunked\r\n\r\n${length().toString(16)}\r\n${inner()}\r\n0\r\n\r\n`,
  };
  it.each(
    ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS'].flatMap(method => Object.keys(framed).map(how => [method, how] as const)),
  )('of %s, %s, is no request to the host', async (method, how) => {
    const next = `GET http://allowed.test:${at}/next HTTP/1.1\r\nHost: allowed.test:${at}\r\n${end}`;
    await egress.say(
      `${method} http://allowed.test:${at}/a HTTP/1.1\r\nHost: allowed.test:${at}\r\n${framed[how]?.() ?? ''}`,
      next,
    );
    expect(host.seen.map(seen => seen.split(' ').slice(0, 2).join(' '))).toEqual([`${method} /a`, 'GET /next']);
    expect(bodies).toEqual([inner(), '']);
  });

  it.each(doubleFramings)('framed by %s never comes through as a second request', async (_how, headers) => {
    await egress.say(framedTwice(headers, at));
    expect(host.seen.filter(seen => seen.includes('/inner'))).toEqual([]);
  });
});
