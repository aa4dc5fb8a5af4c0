import { once } from 'node:events';
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { certificateFor, startEgress, startHost } from '../../../test/harness/egress.ts';
import type { TestEgress, TestHost } from '../../../test/harness/egress.ts';
import { notEncrypted, proxiedAddresses, proxiedRules, tunnelRefusals, wrongServerNames } from '../../../test/samples/proxied.ts';

const certificate = certificateFor('allowed.test', '*.wide.test');
let host: TestHost;
let egress: TestEgress;
let at: string;
let leadsTo = proxiedAddresses;

beforeAll(async () => {
  host = await startHost((request, response) => {
    request.resume();
    request.once('end', () => response.end('secret answer'));
  }, certificate);
  at = String(host.port);
  egress = await startEgress({ rules: proxiedRules(host.port), lookup: async name => leadsTo[name] ?? [] });
});
beforeEach(() => {
  host.seen.length = 0;
  egress.refused.length = 0;
  leadsTo = proxiedAddresses;
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

  it.each(tunnelRefusals)('is refused to %s with Host %j: %s', async (authority, said, reason) => {
    const { socket, answer } = await tunnel(authority, said);
    expect(answer).toMatch(/^HTTP\/1.1 403 /);
    expect(reasons()).toEqual([reason]);
    socket.destroy();
  });

  it.each(wrongServerNames)('to %s ends where the handshake names %s', async (authority, name) => {
    const { socket } = await tunnel(authority);
    expect(await askWithin(socket, name)).toMatch(/^error .*alert access denied/i);
    expect(reasons()).toEqual(['server_name']);
    expect(host.seen).toEqual([]);
  });

  it.each(notEncrypted)('does not hold %s', async (_what, bytes) => {
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
    leadsTo = { 'allowed.test': ['203.0.113.1'] };
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
