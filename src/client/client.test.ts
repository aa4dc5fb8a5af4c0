import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, RequestListener, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { systemClock } from '../kernel/clock.ts';
import type { Clock } from '../kernel/clock.ts';
import { Fault } from '../kernel/fault.ts';
import { backoffMs, createClient, retrying } from './index.ts';
import type { Client } from './index.ts';

let server: Server | undefined;
afterEach(() => server?.closeAllConnections());
afterEach(() => void server?.close());

async function serving(listener: RequestListener): Promise<Client> {
  server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return createClient({ server: `http://127.0.0.1:${port}/`, token: 'top-secret', clock: systemClock });
}

const answering = (status: number, body: string, headers: Record<string, string> = {}) =>
  serving((_, response) => response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body));
const anything = z.unknown();
const failure = (client: Client) =>
  client.request('GET', '/api/x', { schema: anything }).then(String, (error: unknown) => error as Fault);

describe('a request', () => {
  it('carries token, body, query and headers', async () => {
    let seen: IncomingMessage | undefined;
    let body = '';
    const client = await serving((request, response) => {
      seen = request;
      request.on('data', (bytes: Buffer) => (body += bytes.toString()));
      request.on('end', () => response.writeHead(200, { 'content-type': 'application/json' }).end('{"size":1,"more":2}'));
    });
    const schema = z.object({ size: z.number() });
    const query = { offset: 5, none: undefined };
    const answer = await client.request('POST', '/api/x', { schema, query, body: { a: 1 }, headers: { 'skep-lease': 'l' } });
    expect(answer).toEqual({ size: 1 });
    expect([seen?.method, seen?.url, body]).toEqual(['POST', '/api/x?offset=5', '{"a":1}']);
    expect(seen?.headers).toMatchObject({
      authorization: 'Bearer top-secret',
      'content-type': 'application/json',
      'skep-lease': 'l',
    });
  });

  it('takes text where the server sends text, and nothing for 204', async () => {
    const log = await answering(200, 'lines\n', { 'content-type': 'text/plain' });
    await expect(log.request('GET', '/api/x', { schema: z.string() })).resolves.toBe('lines\n');
    const empty = await answering(204, '');
    await expect(empty.request('GET', '/api/x', { schema: z.undefined() })).resolves.toBeUndefined();
  });

  it.each([
    [
      409,
      { 'skep-fault': 'lease_lost' },
      '{"error":"gone","hint":"stop","state":"lost"}',
      { code: 'lease_lost', message: 'gone', hint: 'stop', facts: { state: 'lost' } },
    ],
    [409, { 'skep-fault': 'of_the_future' }, '{"error":"new"}', { code: 'wrong_state', message: 'new' }],
    [404, { 'skep-fault': 'constructor' }, '{"error":"new"}', { code: 'route_not_found' }],
    [
      502,
      { 'content-type': 'text/html' },
      '<h1>Bad gateway</h1>',
      { code: 'server_unavailable', message: 'The server does not answer (HTTP 502)' },
    ],
    [429, {}, '', { code: 'server_unavailable' }],
    [408, {}, '', { code: 'server_unavailable' }],
    [401, {}, '{}', { code: 'unauthenticated' }],
    [418, {}, '', { code: 'invalid_request' }],
    [200, {}, '<html>', { code: 'unknown_answer' }],
  ])('makes a Fault of %i %o %s', async (...args) => {
    const [status, headers, body, fault] = args;
    expect(await failure(await answering(status, body, headers as Record<string, string>))).toMatchObject(fault);
  });

  it('refuses an answer that is not as the contract says', async () => {
    const client = await answering(200, '{"size":"big"}');
    await expect(client.request('GET', '/api/x', { schema: z.object({ size: z.number() }) })).rejects.toMatchObject({
      code: 'unknown_answer',
    });
  });

  it('says that the server does not answer, without a secret', async () => {
    const client = createClient({ server: 'http://ann:pass@127.0.0.1:1', token: 'top-secret', clock: systemClock });
    const error = (await failure(client)) as Fault;
    expect(error).toMatchObject({ code: 'server_unavailable' });
    const { port } = await new Promise<AddressInfo>(resolve => {
      const gone = createServer().listen(0, '127.0.0.1', () => {
        const address = gone.address() as AddressInfo;
        gone.close(() => resolve(address));
      });
    });
    const refused = await failure(createClient({ server: `http://127.0.0.1:${port}`, token: 'top-secret', clock: systemClock }));
    expect(refused).toMatchObject({
      code: 'server_unavailable',
      message: `http://127.0.0.1:${port} does not answer (ECONNREFUSED)`,
    });
    expect(JSON.stringify([error.message, error.facts, String(error.cause)])).not.toMatch(/pass|secret/);
  });

  it('does not wait for ever, neither for headers nor for the end of a body', async () => {
    for (const begin of [false, true]) {
      const client = await serving((_, response) => {
        if (begin) response.writeHead(200, { 'content-type': 'application/json' }).write('{');
      });
      const answer = client.request('GET', '/api/x', { schema: anything, timeoutMs: 80 });
      await expect(answer).rejects.toMatchObject({
        code: 'server_unavailable',
        message: expect.stringContaining('within 80 ms') as string,
      });
    }
  });

  it('ends with the reason of its signal', async () => {
    const stopping = new AbortController();
    const client = await serving(() => stopping.abort(new Fault('lease_lost')));
    await expect(client.request('GET', '/api/x', { schema: anything, signal: stopping.signal })).rejects.toMatchObject({
      code: 'lease_lost',
    });
  });

  it('does not follow a redirect with its token', async () => {
    const client = await answering(307, '', { location: 'http://127.0.0.1:1/' });
    expect(await failure(client)).toMatchObject({ code: 'server_unavailable' });
  });
});

describe('retrying', () => {
  const waits: number[] = [];
  const clock: Clock = { ...systemClock, sleep: ms => Promise.resolve(void waits.push(ms)) };

  it('repeats what can succeed later, with longer waits', async () => {
    let tries = 0;
    const work = () => ((tries += 1) < 8 ? Promise.reject(new Fault('server_unavailable')) : Promise.resolve('done'));
    await expect(retrying({ clock, random: () => 1 }, work)).resolves.toBe('done');
    expect(waits).toEqual([200, 400, 800, 1600, 3200, 5000, 5000]);
    expect([backoffMs(0, () => 0), backoffMs(99, () => 0)]).toEqual([100, 2500]);
  });

  it('has an end: the last error is thrown where the next try would come too late', async () => {
    let nowMs = 0;
    const passing: Clock = { ...clock, mono: () => nowMs, sleep: ms => Promise.resolve(void (nowMs += ms)) };
    let tries = 0;
    const work = () => Promise.reject(new Fault('disk_full', { message: `try ${(tries += 1)}` }));
    await expect(retrying({ clock: passing, random: () => 1, elapsedMsMax: 1_500 }, work)).rejects.toThrow('try 4');
    expect(nowMs).toBe(1_400);
  });

  it.each([new Fault('lease_lost'), new Error('a mistake')])('does not repeat %s', async error => {
    let tries = 0;
    const work = () => {
      tries += 1;
      return Promise.reject(error);
    };
    await expect(retrying({ clock, random: () => 0 }, work)).rejects.toBe(error);
    expect(tries).toBe(1);
  });
});
