import websocket from '@fastify/websocket';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { WebSocket } from 'ws';
import { type LiveFrame, liveCloseCodes, liveFilter } from '../../contract/events.ts';
import type { Database } from '../db/database.ts';
import { eventsAfter, lastPosition } from '../db/events.sql.ts';
import type { Listener } from '../db/listen.ts';
import type { Clock } from '../kernel/clock.ts';
import { Fault } from '../kernel/fault.ts';
import type { Log } from '../kernel/log.ts';
import { createLoop, type Loop } from '../kernel/loop.ts';
import type { Caller } from '../support/access/index.ts';
import { decodeNumber, encodeCursor } from './cursor.ts';
import { eventCursor, toWireEvent } from './events.ts';
import { callerOf } from './route.ts';

interface LiveOptions {
  readonly database: Database;
  readonly listener: Listener;
  readonly clock: Clock;
  readonly log: Log;
}

const pageMax = 100;
/** What waits here for a client to read, beside the rest of its page. */
const bufferedBytesMax = 262_144;
/** A client that takes nothing for so long is cut; it comes back with its cursor and misses nothing. */
const slowMs = 10_000;
/** Ping, and a look at the log in case a notification was missed. */
const idleMs = 15_000;
const frameBytesMax = 4_096;
const socketOptions = {
  maxPayload: frameBytesMax,
  // A client that does not read does not answer a close either: neither it nor our own stop waits longer for that.
  closeTimeout: 2_000,
  // A browser wants one of its protocols said back: rather not the one that is its token, since answers are logged by proxies.
  handleProtocols: (offered: ReadonlySet<string>) =>
    [...offered].find(protocol => !protocol.startsWith('bearer.')) ?? [...offered][0] ?? (false as const),
};

/** Comes before the guard: whoever is refused while asking for a socket is then cut, and keeps no connection that a stop waits for. */
export async function acceptSockets(app: FastifyInstance): Promise<void> {
  await app.register(websocket, { options: socketOptions });
}

/** The log as a stream: first what is stored after the cursor, then what happens, each event once and in order. */
export function registerLive(app: FastifyInstance, options: LiveOptions): void {
  const tails = new Set<Loop>();
  options.listener.on('skep_events', () => {
    for (const tail of tails) tail.wake();
  });
  for (const prefix of ['/api', '/api/v1']) {
    app.route({
      method: 'GET',
      url: `${prefix}/live`,
      config: { need: 'read' },
      schema: { hide: true },
      preValidation: sameOrigin,
      handler: refusePlain,
      async wsHandler(socket, request) {
        const after = await startOf(request, options.database, socket);
        // It may have gone meanwhile, and would never tell again.
        if (after === undefined || socket.readyState !== socket.OPEN) return;
        const tail = follow(socket, { caller: callerOf(request), after }, options);
        tails.add(tail);
        socket.on('close', () => {
          tails.delete(tail);
          void tail.stop();
        });
        tail.start();
      },
    });
  }
}

/** Sends page after page from the cursor on; the log itself is the buffer, so a slow client costs the memory of one page here. */
function follow(
  socket: WebSocket,
  { caller, after }: { caller: Caller; after: number },
  { database, clock, log }: LiveOptions,
): Loop {
  let position = after;
  let live = false;
  let answered = true;
  let pingedAt = clock.mono();
  socket.on('pong', () => (answered = true));
  const send = (frame: LiveFrame, signal: AbortSignal) => handOver(socket, frame, { clock, signal });

  function ping(): void {
    if (clock.mono() - pingedAt < idleMs) return;
    if (!answered) socket.terminate();
    answered = false;
    pingedAt = clock.mono();
    socket.ping();
  }

  return createLoop({
    name: 'live',
    clock,
    log,
    idleMs,
    async turn(signal) {
      if (socket.readyState !== socket.OPEN) return false;
      const rows = await database.enginePool.query(eventsAfter, [caller.tenantId, position, pageMax, null]);
      if (caller.expiresAt !== null && caller.expiresAt.getTime() <= clock.now()) {
        socket.close(liveCloseCodes.tokenRevoked, 'the token has ended');
        return false;
      }
      for (const row of rows) {
        if (!(await send({ kind: 'event', event: toWireEvent(row) }, signal))) return false;
        position = row.position;
        if (row.type === 'token.revoked' && row.subjectId === caller.tokenId)
          socket.close(liveCloseCodes.tokenRevoked, 'the token was revoked');
      }
      if (rows.length === pageMax) return true;
      live ||= await send({ kind: 'ready', cursor: encodeCursor(eventCursor, position) }, signal);
      ping();
      return false;
    },
  });
}

/** Resolves when the client may be sent more: at once, or when it has read; false when it is gone or was cut. */
async function handOver(
  socket: WebSocket,
  frame: LiveFrame,
  { clock, signal }: { clock: Clock; signal: AbortSignal },
): Promise<boolean> {
  if (socket.readyState !== socket.OPEN) return false;
  const taken = new AbortController();
  socket.send(JSON.stringify(frame), () => taken.abort());
  if (socket.bufferedAmount <= bufferedBytesMax) return true;
  await clock.sleep(slowMs, AbortSignal.any([signal, taken.signal]));
  if (!taken.signal.aborted) socket.close(liveCloseCodes.tooSlow, 'too slow: come back with the last cursor');
  return socket.readyState === socket.OPEN;
}

async function refusePlain(): Promise<never> {
  throw new Fault('invalid_request', {
    message: 'This is a WebSocket',
    hint: 'Over plain HTTP the same events are at /api/events',
  });
}

async function startOf(request: FastifyRequest, database: Database, socket: WebSocket): Promise<number | undefined> {
  const filter = liveFilter.safeParse(request.query);
  try {
    if (!filter.success) throw new Fault('invalid_cursor');
    if (filter.data.after !== 'now') return decodeNumber(eventCursor, filter.data.after);
    const [row] = await database.enginePool.query(lastPosition);
    return row?.lastPosition ?? 0;
  } catch (error) {
    socket.close(liveCloseCodes.badCursor, error instanceof Fault ? error.message : 'the log cannot be read now');
    return undefined;
  }
}

/** A browser lets any page open a socket to here and says from where: only our own pages may. */
async function sameOrigin(request: FastifyRequest): Promise<void> {
  const { origin, host } = request.headers;
  if (origin === undefined) return;
  if (!URL.canParse(origin) || new URL(origin).host !== host) {
    throw new Fault('forbidden', { message: 'This origin may not open a socket here' });
  }
}
