import websocket from '@fastify/websocket';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { WebSocket } from 'ws';
import { type LiveFrame, liveCloseCodes, liveFilter } from '../../contract/events.ts';
import type { Database } from '../db/database.ts';
import { type EventRow, eventsAfter, lastPosition } from '../db/events.sql.ts';
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

const pageMax = 200;
/** A client that does not read is cut when so much waits for it; it comes back with its cursor and misses nothing. */
const bufferedBytesMax = 4 * 1_048_576;
/** Ping, and a look at the log in case a notification was missed. */
const idleMs = 15_000;
const frameBytesMax = 4_096;

/** The log as a stream: first what is stored after the cursor, then what happens, each event once and in order. */
export async function registerLive(app: FastifyInstance, options: LiveOptions): Promise<void> {
  await app.register(websocket, { options: { maxPayload: frameBytesMax, handleProtocols: offered => [...offered][0] ?? false } });
  const tails = new Set<Loop>();
  options.listener.on('skep_events', () => {
    for (const tail of tails) tail.wake();
  });
  for (const prefix of ['/api', '/api/v1']) {
    app.get(
      `${prefix}/live`,
      { websocket: true, config: { need: 'read' }, schema: { hide: true }, preValidation: sameOrigin },
      async (socket, request) => {
        const tail = follow(
          socket,
          { caller: callerOf(request), after: await startOf(request, options.database, socket) },
          options,
        );
        if (tail === undefined) return;
        tails.add(tail);
        socket.on('close', () => {
          tails.delete(tail);
          void tail.stop();
        });
        tail.start();
      },
    );
  }
}

/** Sends page after page from the cursor on; the log itself is the buffer, so a slow client costs no memory here. */
function follow(
  socket: WebSocket,
  { caller, after }: { caller: Caller; after: number | undefined },
  { database, clock, log }: LiveOptions,
): Loop | undefined {
  if (after === undefined) return undefined;
  let position = after;
  let live = false;
  let answered = true;
  socket.on('pong', () => (answered = true));
  socket.on('error', () => socket.terminate());
  const send = (frame: LiveFrame) => socket.send(JSON.stringify(frame));

  function deliver(rows: readonly EventRow[]): void {
    for (const row of rows) {
      send({ kind: 'event', event: toWireEvent(row) });
      position = row.position;
      if (row.type === 'token.revoked' && row.subjectId === caller.tokenId)
        socket.close(liveCloseCodes.tokenRevoked, 'the token was revoked');
    }
  }

  let pingedAt = clock.mono();
  return createLoop({
    name: 'live',
    clock,
    log,
    idleMs,
    async turn() {
      if (socket.readyState !== socket.OPEN) return false;
      if (socket.bufferedAmount > bufferedBytesMax) {
        socket.close(liveCloseCodes.tooSlow, 'too slow: come back with the last cursor');
        return false;
      }
      const rows = await database.enginePool.query(eventsAfter, [caller.tenantId, position, pageMax, null]);
      deliver(rows);
      if (rows.length === pageMax) return true;
      if (!live) send({ kind: 'ready', cursor: encodeCursor(eventCursor, position) });
      live = true;
      if (clock.mono() - pingedAt >= idleMs) {
        if (!answered) socket.terminate();
        answered = false;
        pingedAt = clock.mono();
        socket.ping();
      }
      return false;
    },
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
