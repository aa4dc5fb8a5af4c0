import type { LiveFrame, liveCloseCodes, WireEvent } from '../contract/events.ts';

/**
 * `connecting` until the socket is open, `replaying` what is stored, `live` from then on; `waiting` before the next try, after the
 * connection was lost. `refused` is the end: the token was revoked, or the cursor is none of this server.
 */
export type LiveState = 'connecting' | 'replaying' | 'live' | 'waiting' | 'refused';

export interface LiveOptions {
  /** Of the server, such as `location.origin`. */
  readonly url: string;
  readonly token: string;
  /** Only what is later than this cursor; `now`: only what happens from here on; absent: from the beginning. */
  readonly after?: string;
  readonly onEvent: (event: WireEvent) => void;
  /** All that was stored has come; once a connection. */
  readonly onReady?: (cursor: string) => void;
  readonly onState?: (state: LiveState) => void;
  /** The browser's own class. */
  readonly WebSocket: new (
    url: string,
    protocols: string[],
  ) => LiveSocket;
}

/** What is used of a browser's WebSocket. */
export interface LiveSocket {
  addEventListener(type: 'open' | 'error', listener: () => void): void;
  addEventListener(type: 'message', listener: (event: { data: unknown }) => void): void;
  addEventListener(type: 'close', listener: (event: { code: number }) => void): void;
  close(): void;
}

/**
 * The tail of the event log: each event once and in order, however often the connection is lost. The result ends it, and nothing
 * is called after that.
 */
export function followEvents(options: LiveOptions): () => void {
  const { onEvent, onReady = () => {}, onState = () => {} } = options;
  let after = options.after;
  let waitMs = retryFirstMs;
  let socket: LiveSocket | undefined;
  let retry: ReturnType<typeof setTimeout> | undefined;

  function connect(): void {
    const mine = new options.WebSocket(liveUrl(options.url, after), ['skep', `bearer.${options.token}`]);
    socket = mine;
    // A socket that was given up may still deliver what had arrived.
    const ifMine =
      <Args extends unknown[]>(act: (...args: Args) => void) =>
      (...args: Args) => {
        if (socket === mine) act(...args);
      };
    mine.addEventListener(
      'open',
      ifMine(() => onState('replaying')),
    );
    mine.addEventListener(
      'message',
      ifMine(({ data }) => take(JSON.parse(String(data)) as LiveFrame)),
    );
    mine.addEventListener(
      'close',
      ifMine(({ code }) => lose(code)),
    );
    // A close follows, and says as much as a browser tells.
    mine.addEventListener('error', () => {});
    onState('connecting');
  }

  function take(frame: LiveFrame): void {
    // An open socket is not enough: a proxy before a dead server opens and closes as fast as one asks.
    waitMs = retryFirstMs;
    if (frame.kind === 'event') {
      after = frame.event.cursor;
      onEvent(frame.event);
    } else {
      after = frame.cursor;
      onState('live');
      onReady(frame.cursor);
    }
  }

  function lose(code: number): void {
    socket = undefined;
    if (final.includes(code)) {
      onState('refused');
      return;
    }
    retry = setTimeout(connect, waitMs);
    waitMs = Math.min(waitMs * 2, retryLongestMs);
    onState('waiting');
  }

  connect();
  return () => {
    clearTimeout(retry);
    const last = socket;
    socket = undefined;
    last?.close();
  };
}

const retryFirstMs = 250;
const retryLongestMs = 5_000;

type Final = (typeof liveCloseCodes)['tokenRevoked' | 'badCursor'];
/** Written here, since the contract's values would bring its checks, and with them zod, into every page; the type keeps them the same. */
const tokenRevoked: Final = 4401;
const badCursor: Final = 4400;
const final: readonly number[] = [tokenRevoked, badCursor];

/** The token goes by subprotocol and never here: addresses are logged. */
function liveUrl(url: string, after: string | undefined): string {
  const query = after === undefined ? '' : `?after=${encodeURIComponent(after)}`;
  return `${url.replace(/^http/, 'ws')}/api/live${query}`;
}
