import { WebSocket } from 'ws';
import { liveCloseCodes, liveFrame } from '../../../contract/events.ts';
import type { LiveFrame, WireEvent } from '../../../contract/events.ts';
import { faultOfAnswer } from '../../client/index.ts';
import { Fault, isFault } from '../../kernel/fault.ts';
import type { Context } from '../context.ts';

interface Following {
  /** Ends it, at once. */
  readonly signal?: AbortSignal;
  /** Called each time when all that was stored has been given out. */
  readonly onReady?: () => void;
  /** Called when the connection is lost; by default a note on stderr. */
  readonly onLost?: () => void;
}

/**
 * The events of the live socket without end. A lost connection is made again, beginning behind the last event that was given
 * out: none is lost and none comes twice. Throws when the first connection fails, when the token ends, when the cursor is bad.
 */
export async function* followEvents(
  context: Context,
  first: string | undefined,
  { signal, onReady, onLost = () => noteLoss(context) }: Following = {},
): AsyncGenerator<WireEvent> {
  let after = first;
  let wasOpen = false;
  const isOver = (): boolean => signal?.aborted === true;
  for (let waitMs = retryFirstMs; !isOver(); waitMs = Math.min(waitMs * 2, retryLongestMs)) {
    try {
      for await (const frame of frames(context, after, signal)) {
        wasOpen = true;
        waitMs = retryFirstMs;
        if (frame.kind === 'ready') {
          after = frame.cursor;
          onReady?.();
        } else {
          after = frame.event.cursor;
          yield frame.event;
        }
      }
    } catch (error) {
      if (!wasOpen || !isFault(error) || !error.kind.retry) throw error;
    }
    if (isOver()) return;
    if (!wasOpen) throw unreachable(context.server, 'it closed the connection');
    onLost();
    await context.clock.sleep(waitMs, signal);
  }
}

function noteLoss({ json, err }: Context): void {
  if (!json) err.write('The connection is lost; trying again\n');
}

const retryFirstMs = 250;
const retryLongestMs = 5_000;
/** The server's pings come more often; a connection that is silent for longer is dead, though nobody has closed it. */
const pingMs = 15_000;

/** The frames of one connection, until it is closed. */
async function* frames(context: Context, after: string | undefined, signal?: AbortSignal): AsyncGenerator<LiveFrame> {
  const { server, token, clock } = context;
  const query = after === undefined ? '' : `?after=${encodeURIComponent(after)}`;
  const socket = new WebSocket(`${server.replace(/^http/, 'ws')}/api/live${query}`, {
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    handshakeTimeout: 10_000,
  });
  const inbox: LiveFrame[] = [];
  const ended = new AbortController();
  let failure: Fault | undefined;
  let wake = (): void => {};
  const end = (why?: Fault): void => {
    failure ??= why;
    ended.abort();
    wake();
  };
  socket.on('message', data => {
    inbox.push(liveFrame.parse(JSON.parse((data as Buffer).toString('utf8'))));
    wake();
  });
  socket.on('unexpected-response', (request, response) => {
    refusal(response).then(end, (error: unknown) => end(unreachable(server, error)));
    response.once('close', () => request.destroy());
  });
  socket.on('error', error => end(unreachable(server, error)));
  socket.on('close', code => end(faultOfClose(code)));
  const onAbort = (): void => end();
  signal?.addEventListener('abort', onAbort);
  if (signal?.aborted === true) end();
  void watchPulse(socket, clock, ended.signal);
  try {
    while (inbox.length > 0 || !ended.signal.aborted) {
      for (const frame of inbox.splice(0)) yield frame;
      if (inbox.length === 0 && !ended.signal.aborted) {
        await new Promise<void>(resolve => {
          wake = resolve;
        });
      }
    }
    if (failure !== undefined) throw failure;
  } finally {
    signal?.removeEventListener('abort', onAbort);
    ended.abort();
    socket.terminate();
  }
}

async function watchPulse(socket: WebSocket, clock: Context['clock'], ended: AbortSignal): Promise<void> {
  let isAlive = true;
  socket.on('pong', () => {
    isAlive = true;
  });
  for (;;) {
    await clock.sleep(pingMs, ended);
    if (ended.aborted) return;
    if (!isAlive) socket.terminate();
    isAlive = false;
    if (socket.readyState === WebSocket.OPEN) socket.ping();
  }
}

function unreachable(server: string, reason: unknown): Fault {
  const words = reason instanceof Error ? reason.message : String(reason);
  return new Fault('server_unavailable', { message: `${server} does not answer (${words})`, cause: reason });
}

async function refusal(response: import('node:http').IncomingMessage): Promise<Fault> {
  const chunks: Buffer[] = [];
  for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
  const headers = new Headers();
  const code = response.headers['skep-fault'];
  if (typeof code === 'string') headers.set('skep-fault', code);
  return faultOfAnswer({ status: response.statusCode ?? 500, headers }, Buffer.concat(chunks).toString('utf8'));
}

function faultOfClose(code: number): Fault | undefined {
  if (code === liveCloseCodes.tokenRevoked)
    return new Fault('unauthenticated', { message: 'The token was revoked or has ended' });
  if (code === liveCloseCodes.badCursor) return new Fault('invalid_cursor', { hint: 'Leave --after out to begin now' });
  return undefined;
}
