import { once } from 'node:events';
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { certificateFor, startEgress, startHost } from '../../../test/harness/egress.ts';
import type { TestEgress, TestHost } from '../../../test/harness/egress.ts';
import type { NetworkRule } from '../../../contract/network/rules.ts';

const certificate = certificateFor('allowed.test', '*.wide.test');
let host: TestHost;
let egress: TestEgress;
let at: string;
let leadsTo: readonly string[] = ['127.0.0.1'];

beforeAll(async () => {
  host = await startHost((request, response) => {
    request.resume();
    request.once('end', () => response.end('secret answer'));
  }, certificate);
  at = String(host.port);
  const rules: readonly NetworkRule[] = [
    { host: 'allowed.test', port: host.port, private: true },
    { host: '*.wide.test', port: host.port, private: true },
    { host: 'plain.test', port: host.port, private: true, methods: ['GET'] },
    { host: '127.0.0.1', port: host.port, private: true },
    { host: 'inward.test', port: host.port },
  ];
  egress = await startEgress({ rules, lookup: async () => leadsTo });
});
beforeEach(() => {
  host.seen.length = 0;
  egress.refused.length = 0;
  leadsTo = ['127.0.0.1'];
});
afterAll(() => {
  egress.close();
  host.close();
});

const put = (text: string): string => text.replaceAll('PORT', at);
const reasons = (): readonly string[] => egress.refused.map(({ reason }) => reason);

/** A connection to the proxy, after its answer to CONNECT. */
async function tunnel(authority: string, said = authority): Promise<{ socket: Socket; answer: string }> {
  const socket = egress.open();
  socket.write(put(`CONNECT ${authority} HTTP/1.1\r\n${said === '' ? '' : `Host: ${said}\r\n`}\r\n`));
  const [first] = (await Promise.race([once(socket, 'data'), once(socket, 'close')])) as [Buffer | boolean];
  return { socket, answer: Buffer.isBuffer(first) ? first.toString() : '' };
}

/** What the host answers within; or what became of the handshake. */
async function askWithin(socket: Socket, servername: string | undefined): Promise<string> {
  const tls = connectTls({ socket, ...(servername === undefined ? {} : { servername }), rejectUnauthorized: false });
  return new Promise(resolve => {
    let heard = '';
    tls.on('data', (chunk: Buffer) => (heard += chunk.toString()));
    tls.once('error', error => resolve(`error ${error.message}`));
    tls.once('close', () => resolve(heard));
    tls.once('secureConnect', () => tls.write('GET /within HTTP/1.1\r\nHost: allowed.test\r\nConnection: close\r\n\r\n'));
  });
}

describe('what is encrypted', () => {
  it.each([
    ['allowed.test:PORT', 'allowed.test:PORT', 'allowed.test'],
    ['ALLOWED.test.:PORT', 'allowed.test', 'Allowed.Test'],
    ['below.wide.test:PORT', '', 'below.wide.test'],
    ['127.0.0.1:PORT', '127.0.0.1:PORT', undefined],
  ])('passes to %s with Host %j and the name %s', async (authority, said, name) => {
    const { socket, answer } = await tunnel(authority, said);
    expect(answer).toMatch(/^HTTP\/1.1 200 /);
    expect(await askWithin(socket, name)).toContain('secret answer');
    expect(reasons()).toEqual([]);
  });

  it.each([
    ['evil.test:443', 'evil.test:443', 'host'],
    ['allowed.test.evil.test:PORT', 'allowed.test.evil.test:PORT', 'host'],
    ['wide.test:PORT', 'wide.test:PORT', 'host'],
    ['allowed.test:443', 'allowed.test:443', 'port'],
    ['allowed.test:22', 'allowed.test:22', 'port'],
    ['plain.test:PORT', 'plain.test:PORT', 'encrypted'],
    ['inward.test:PORT', 'inward.test:PORT', 'address'],
    ['allowed.test', 'allowed.test', 'malformed'],
    ['http://allowed.test:PORT/', 'allowed.test:PORT', 'malformed'],
    ['allowed.test:PORT/', 'allowed.test:PORT', 'malformed'],
    ['x@allowed.test:PORT', 'allowed.test:PORT', 'malformed'],
    ['allowed%2etest:PORT', 'allowed.test:PORT', 'malformed'],
    ['2130706433:PORT', '2130706433:PORT', 'malformed'],
    ['[::ffff:127.0.0.1]:PORT', '[::ffff:127.0.0.1]:PORT', 'host'],
    ['allowed.test:PORT', 'evil.test:PORT', 'host_header'],
    ['allowed.test:PORT', 'allowed.test:1', 'host_header'],
    ['allowed.test:PORT', 'allowed.test:PORT\r\nHost: evil.test', 'host_header'],
    ['evil.test:443', 'allowed.test:443', 'host_header'],
  ])('is refused to %s with Host %j: %s', async (authority, said, reason) => {
    const { socket, answer } = await tunnel(authority, said);
    expect(answer).toMatch(/^HTTP\/1.1 403 /);
    expect(reasons()).toEqual([reason]);
    socket.destroy();
  });

  it.each([
    ['allowed.test:PORT', 'evil.test', 'server_name'],
    ['allowed.test:PORT', 'below.wide.test', 'server_name'],
    ['allowed.test:PORT', 'a.allowed.test', 'server_name'],
    ['allowed.test:PORT', undefined, 'server_name'],
    ['below.wide.test:PORT', 'other.wide.test', 'server_name'],
    ['127.0.0.1:PORT', 'allowed.test', 'server_name'],
  ])('to %s ends where the handshake names %s', async (authority, name, reason) => {
    const { socket } = await tunnel(authority);
    expect(await askWithin(socket, name)).toMatch(/^error .*alert access denied/i);
    expect(reasons()).toEqual([reason]);
    expect(host.seen).toEqual([]);
  });

  it.each([
    ['plain http', 'GET / HTTP/1.1\r\nHost: allowed.test\r\n\r\n'],
    ['HTTP/2 without TLS', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['ssh', 'SSH-2.0-OpenSSH_9\r\n'],
    ['another CONNECT', 'CONNECT evil.test:443 HTTP/1.1\r\n\r\n'],
  ])('does not hold %s', async (_what, bytes) => {
    const said = put(`CONNECT allowed.test:PORT HTTP/1.1\r\nHost: allowed.test:PORT\r\n\r\n`);
    // After the answer, and right behind the request.
    for (const answer of [await egress.say(said, bytes), await egress.say(said + bytes)]) {
      expect(answer).toMatch(/^HTTP\/1.1 200 [^\r]*\r\n\r\n\x15\x03\x03\0\x02\x02\x31$/);
    }
    expect(reasons()).toEqual(['not_tls', 'not_tls']);
    expect(host.seen).toEqual([]);
  });

  it('a name that leads elsewhere a moment later leads nowhere: it is looked up once', async () => {
    const { socket } = await tunnel('allowed.test:PORT');
    leadsTo = ['203.0.113.1'];
    expect(await askWithin(socket, 'allowed.test')).toContain('secret answer');
  });

  it('half a handshake reaches nobody', async () => {
    const { socket } = await tunnel('allowed.test:PORT');
    socket.end(Buffer.from('1603010200010001fc', 'hex'));
    await once(socket.resume(), 'close');
    expect(host.seen).toEqual([]);
    expect(reasons()).toEqual([]);
  });
});
