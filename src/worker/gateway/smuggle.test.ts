import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { connect, createServer as createLink } from 'node:net';
import type { AddressInfo, Server as Link } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { silentLog } from '../../kernel/log.ts';
import { createRelay } from './relay.ts';

const seen: string[] = [];
let server: Server;
let link: Link;

beforeAll(async () => {
  server = createServer((request, response) => {
    seen.push(`${request.method} ${request.url}`);
    request.resume();
    request.once('end', () => response.end('{}'));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const relay = createRelay({ server: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, log: silentLog });
  link = createLink({ allowHalfOpen: true }, connection => relay.accept(connection));
  link.listen(0, '127.0.0.1');
  await once(link, 'listening');
});
afterAll(() => {
  link.close();
  server.closeAllConnections();
  server.close();
});

const inner = 'GET /api/tickets HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer stolen\r\n\r\n';
const chunked = `Transfer-Encoding: chunked\r\n\r\n${inner.length.toString(16)}\r\n${inner}\r\n0\r\n\r\n`;
const named = `Connection: content-length\r\nContent-Length: ${inner.length}\r\n\r\n${inner}`;
const plain = `Content-Length: ${inner.length}\r\n\r\n${inner}`;

/** All that the sandbox sends, and then one request more, whose answer comes behind whatever the first has led to. */
async function send(head: string): Promise<void> {
  const { port } = link.address() as AddressInfo;
  const socket = connect(port, '127.0.0.1').resume();
  socket.write(head);
  await once(socket, 'data');
  socket.write('GET /gateway/next HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  await once(socket, 'close');
}

describe('a body that holds a request of its own', () => {
  const methods = ['GET', 'HEAD', 'POST', 'DELETE', 'OPTIONS'];
  it.each(
    methods.flatMap(method => Object.entries({ chunked, named, plain }).map(([how, body]) => [method, how, body] as const)),
  )('of %s, %s, is no request to the server', async (method, _how, body) => {
    seen.length = 0;
    await send(`${method} /gateway/a HTTP/1.1\r\nHost: x\r\n${body}`);
    expect(seen).toEqual([`${method} /gateway/a`, 'GET /gateway/next']);
  });

  it.each(['/gateway/../api', '/gateway/..;/api', '/gateway/%2e%2e;x/api', '/gateway/%252e%252e/api', '//gateway/a', '/api'])(
    'and the target %s is not the gateway',
    async target => {
      seen.length = 0;
      await send(`GET ${target} HTTP/1.1\r\nHost: x\r\n\r\n`).catch(() => {});
      expect(seen.filter(request => !request.endsWith('/gateway/next'))).toEqual([]);
    },
  );
});
