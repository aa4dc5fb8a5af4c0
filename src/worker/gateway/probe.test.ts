import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { systemClock } from '../../kernel/clock.ts';
import { probeReportBack } from './probe.ts';

let answers: { readonly status: number; readonly body: string }[];
let asked: string[];
let server: Server;

beforeEach(async () => {
  asked = [];
  server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url} ${request.headers.authorization}`);
    const { status, body } = answers[Math.min(asked.length, answers.length) - 1] ?? { status: 500, body: '' };
    request.resume();
    response.writeHead(status, { 'content-type': 'application/json' }).end(body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const good = { status: 200, body: '{"jsonrpc":"2.0","id":1,"result":{"serverInfo":{"name":"skep"}}}' };
const urlOf = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
const probe = (url = urlOf()) =>
  probeReportBack(
    { gateway: { token: 'of-the-run' } },
    {
      client: { access: async () => ({ server: url, headers: {} }) },
      clock: { ...systemClock, sleep: async () => {} },
      signal: new AbortController().signal,
    },
  );

it('asks as the agent will, and takes one bad moment for no more than that', async () => {
  answers = [{ status: 503, body: '' }, good];
  await probe();
  expect(asked).toEqual(['POST /gateway/mcp Bearer of-the-run', 'POST /gateway/mcp Bearer of-the-run']);
});

it.each([
  [{ status: 401, body: '{}' }, 'HTTP 401'],
  [{ status: 200, body: '<html>' }, 'its answer is not one of the protocol'],
])('lets no agent begin that could not report: %j', async (answer, why) => {
  answers = [answer];
  await expect(probe()).rejects.toThrow(why);
  expect(asked).toHaveLength(3);
});

it('says that there is no server', async () => {
  const url = urlOf();
  const closed = once(server, 'close');
  server.close();
  await closed;
  await expect(probe(url)).rejects.toThrow('no connection');
});
