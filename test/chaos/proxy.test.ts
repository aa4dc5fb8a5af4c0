import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../../src/kernel/clock.ts';
import { type Proxy, startProxy } from './proxy.ts';

let server: Server;
let proxy: Proxy;
const sockets = new Set<Socket>();

beforeEach(async () => {
  // Says everything back.
  server = createServer(socket => {
    sockets.add(socket.on('error', () => {}));
    socket.pipe(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  proxy = await startProxy({ port: (server.address() as AddressInfo).port });
});
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  await proxy.close();
  server.close();
});

function call(): Socket {
  const socket = connect(proxy.port, '127.0.0.1').on('error', () => {});
  sockets.add(socket);
  return socket;
}

async function echo(socket: Socket, text: string): Promise<{ heard: string; ms: number }> {
  const since = performance.now();
  socket.write(text);
  const [heard] = (await once(socket, 'data')) as [Buffer];
  return { heard: heard.toString(), ms: performance.now() - since };
}

test('what is said gets through, later on a slow line', async () => {
  const socket = call();
  expect((await echo(socket, 'hello')).heard).toBe('hello');
  proxy.set({ latencyMs: 60 });
  expect((await echo(socket, 'later')).ms).toBeGreaterThanOrEqual(115);
  proxy.set({ bytesPerS: 1_000 });
  expect((await echo(socket, 'x'.repeat(100))).ms).toBeGreaterThanOrEqual(190);
});

test('a reset ends all connections, and new ones are as before', async () => {
  const socket = call();
  await echo(socket, 'hello');
  proxy.reset();
  await closed(socket);
  expect(proxy.open()).toBe(0);
  expect((await echo(call(), 'again')).heard).toBe('again');
});

test('in a hole nothing comes and nothing ends', async () => {
  const socket = call();
  await echo(socket, 'hello');
  proxy.set({ hole: true });
  let heard = false;
  socket.on('data', () => (heard = true));
  socket.write('is anybody there?');
  await systemClock.sleep(150);
  expect([heard, socket.destroyed]).toEqual([false, false]);
});

test('a connection is cut at the byte that was named', async () => {
  proxy.set({ cutAtByte: 10 });
  const socket = call();
  expect((await echo(socket, 'nine char')).heard).toBe('nine char');
  socket.write('x');
  await closed(socket);
});

test('the answer to each second commit is lost, as often as was said, and no other', async () => {
  proxy.loseAnswers({ of: 'commit', every: 2, countMax: 1 });
  const socket = call();
  const answer = (tag: string, state = 'I') => `C\0\0\0\x0b${tag}\0Z\0\0\0\x05${state}`;
  expect((await echo(socket, answer('SELECT'))).heard).toBe(answer('SELECT'));
  expect((await echo(socket, answer('COMMIT', 'T'))).heard).toBe(answer('COMMIT', 'T'));
  expect((await echo(socket, answer('COMMIT'))).heard).toBe(answer('COMMIT'));
  socket.write(answer('COMMIT'));
  await closed(socket);
  expect(proxy.lost()).toBe(1);
  const next = call();
  for (let i = 0; i < 4; i++) expect((await echo(next, answer('COMMIT'))).heard).toBe(answer('COMMIT'));
});

/** However it ends: a reset is an error, too. */
function closed(socket: Socket): Promise<void> {
  return new Promise(resolve => void socket.once('close', () => resolve()));
}
