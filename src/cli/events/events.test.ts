import { afterEach, describe, expect, it } from 'vitest';
import { WebSocketServer } from 'ws';
import type { WebSocket } from 'ws';
import { scriptedServer, skep } from '../../../test/harness/cli.ts';
import type { Answer } from '../../../test/harness/cli.ts';

const event = (cursor: string, id = 'TKT-001') => ({
  cursor,
  type: 'ticket.ready',
  name: 'ticketUpdate',
  subject: { type: 'ticket', id },
  actor: 'ann',
  at: '2026-01-02T03:04:05.000Z',
  payload: cursor === '1' ? { why: 'go' } : {},
});

let server: Awaited<ReturnType<typeof scriptedServer>>;
let sockets: WebSocketServer | undefined;
afterEach(async () => {
  for (const socket of sockets?.clients ?? []) socket.terminate();
  sockets?.close();
  sockets = undefined;
  await server.close();
});

/** A live socket that runs one script per connection; what was asked for is kept. */
async function live(scripts: readonly ((socket: WebSocket) => void)[], answer: Answer = { json: {} }) {
  server = await scriptedServer(() => answer);
  const asked: (string | undefined)[] = [];
  sockets = new WebSocketServer({ server: server.server, path: '/api/live' });
  sockets.on('connection', (socket, request) => {
    asked.push(`${request.url} ${request.headers.authorization}`);
    scripts[asked.length - 1]?.(socket);
  });
  return asked;
}

const send = (socket: WebSocket, frame: object) => socket.send(JSON.stringify(frame));
const env = () => ({ env: { SKEP_SERVER: server.url, SKEP_TOKEN: 'secret' } });

describe('skep events', () => {
  it('prints what happened, page after page', async () => {
    const first = Array.from({ length: 500 }, (_, i) => event(String(i + 1)));
    server = await scriptedServer(({ path }) => ({
      json: path.includes('after=500') ? { events: [event('501')], next: '501' } : { events: first, next: '500' },
    }));
    const { out } = await skep(['events', '--subject', 'TKT-001'], env());
    expect(out.split('\n')).toHaveLength(502);
    expect(out).toMatch(/^2026-01-02T03:04:05Z {2}ticket\.ready {9}TKT-001 {3}ann {2}\{"why":"go"\}\n/);
    expect(server.calls[0]?.path).toBe('/api/events?subject=TKT-001&limit=500');
  });
});

describe('skep events --follow', () => {
  it('begins now, comes back after a lost connection, and gives no event twice', async () => {
    const asked = await live([
      socket => {
        send(socket, { kind: 'ready', cursor: '0' });
        send(socket, { kind: 'event', event: event('1') });
        send(socket, { kind: 'event', event: event('2', 'TKT-002') });
        socket.close(1012);
      },
      socket => socket.terminate(),
      socket => send(socket, { kind: 'event', event: event('3') }),
    ]);
    const { code, out, err } = await skep(['events', '--follow', '--limit', '3', '--json'], env());
    expect(code).toBe(0);
    expect(
      out
        .trimEnd()
        .split('\n')
        .map(line => (JSON.parse(line) as { cursor: string }).cursor),
    ).toEqual(['1', '2', '3']);
    expect(err).toBe('');
    expect(asked).toEqual(['now', '2', '2'].map(after => `/api/live?after=${after} Bearer secret`));
  });

  it('begins where it is told, and shows one subject', async () => {
    const asked = await live([
      socket => {
        for (const [cursor, id] of [
          ['7', 'TKT-002'],
          ['8', 'TKT-001'],
        ] as const)
          send(socket, { kind: 'event', event: event(cursor, id) });
      },
    ]);
    const { out } = await skep(['events', '--follow', '--after', '', '--subject', 'TKT-001', '--limit', '1'], env());
    expect(asked).toEqual(['/api/live Bearer secret']);
    expect(out).toContain('TKT-001');
    expect(out).not.toContain('TKT-002');
  });

  it.each([
    [4401, 5, 'The token was revoked'],
    [4400, 2, 'The cursor is not one'],
  ])('ends when the socket is closed with %i', async (close, exit, why) => {
    await live([socket => socket.close(close)]);
    const { code, err } = await skep(['events', '--follow'], env());
    expect(code).toBe(exit);
    expect(err).toContain(why);
  });

  it('names the refusal of the server', async () => {
    server = await scriptedServer(() => ({}));
    server.server.on('upgrade', (_request, socket) => {
      const body = '{"error":"Authentication required"}';
      socket.end(`HTTP/1.1 401 Unauthorized\r\nskep-fault: unauthenticated\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
    });
    const { code, err } = await skep(['events', '--follow'], env());
    expect(code).toBe(5);
    expect(err).toContain('error: Authentication required\n  hint: Give the token');
  });

  it('does not try for ever to reach a server that takes no connection', async () => {
    await live([socket => socket.close(1011)]);
    const { code, err } = await skep(['events', '--follow'], env());
    expect(code).toBe(6);
    expect(err).toContain('it closed the connection');
  });

  it('says that nobody answers', async () => {
    server = await scriptedServer(() => ({}));
    await server.close();
    const { code, err } = await skep(['events', '--follow'], env());
    expect(code).toBe(6);
    expect(err).toContain(`${server.url} does not answer`);
  });
});
