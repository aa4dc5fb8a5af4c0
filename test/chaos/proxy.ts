import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { systemClock } from '../../src/kernel/clock.ts';

/** How the line is. What is left out is as on a good one. */
export interface Weather {
  /** Each piece comes so much later, in either direction. */
  readonly latencyMs?: number;
  /** Bytes a second that a connection lets through in either direction. */
  readonly bytesPerS?: number;
  /** Nothing gets through and nothing ends: both sides see a connection that is merely silent. New ones are taken, and are silent too. */
  readonly hole?: boolean;
  /** A connection is reset when so many bytes of answers have come by it. */
  readonly cutAtByte?: number;
}

/** Of what stands between a database and its client: the transaction is done, and whoever asked for it is not told. */
export interface LostAnswers {
  /** `commit`: of transactions of several statements; `any`: of those of one statement, too. */
  readonly of: 'commit' | 'any';
  /** Each one of so many. */
  readonly every: number;
  readonly countMax: number;
}

/** A line between a client and a server on this machine. */
export interface Proxy {
  readonly port: number;
  /** Connections that are open now. */
  readonly open: () => number;
  /** How many were ever made. */
  readonly made: () => number;
  readonly lost: () => number;
  /** Pieces that came while it was a hole. */
  readonly swallowed: () => number;
  set(weather: Weather): void;
  loseAnswers(which: LostAnswers | undefined): void;
  /** Resets every connection. */
  reset(): void;
  close(): Promise<void>;
}

interface State {
  weather: Weather;
  losing: LostAnswers | undefined;
  ends: number;
  lost: number;
  made: number;
  swallowed: number;
}

/** At once; beyond it a connection is refused. */
const connectionsMax = 500;

export async function startProxy(target: { readonly host?: string; readonly port: number }): Promise<Proxy> {
  const state: State = { weather: {}, losing: undefined, ends: 0, lost: 0, made: 0, swallowed: 0 };
  const links = new Set<Link>();
  const server = createServer({ pauseOnConnect: false }, client => {
    state.made += 1;
    const link = join(client, connect({ host: target.host ?? '127.0.0.1', port: target.port }), state);
    links.add(link);
    link.onEnd(() => links.delete(link));
  });
  server.maxConnections = connectionsMax;
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const reset = (): void => {
    for (const link of [...links]) link.reset();
  };
  return {
    port: (server.address() as AddressInfo).port,
    open: () => links.size,
    made: () => state.made,
    lost: () => state.lost,
    swallowed: () => state.swallowed,
    set: weather => void (state.weather = weather),
    loseAnswers(which) {
      Object.assign(state, { losing: which, ends: 0, lost: 0 });
    },
    reset,
    close: () => closed(server, reset),
  };
}

function closed(server: Server, reset: () => void): Promise<void> {
  return new Promise(resolve => {
    server.close(() => resolve());
    reset();
  });
}

interface Link {
  reset(): void;
  onEnd(call: () => void): void;
}

function join(client: Socket, upstream: Socket, state: State): Link {
  let ended = (): void => {};
  let isOver = false;
  const end = (how: (socket: Socket) => void): void => {
    if (isOver) return;
    isOver = true;
    for (const socket of [client, upstream]) how(socket);
    ended();
  };
  const reset = (): void => end(socket => void socket.resetAndDestroy());
  let answered = 0;
  pump(client, upstream, { state, isOver: () => isOver });
  pump(upstream, client, {
    state,
    isOver: () => isOver,
    lets(chunk) {
      answered += chunk.length;
      const isCut = state.weather.cutAtByte !== undefined && answered >= state.weather.cutAtByte;
      if (!isCut && !isLost(chunk, state)) return true;
      reset();
      return false;
    },
  });
  for (const socket of [client, upstream]) {
    socket.on('error', reset);
    // In a hole not even an end gets through.
    socket.once('close', () => void (state.weather.hole === true || end(each => void each.destroy())));
  }
  return { reset, onEnd: call => void (ended = call) };
}

interface Pump {
  readonly state: State;
  readonly isOver: () => boolean;
  readonly lets?: (chunk: Buffer) => boolean;
}

/** One piece after the other, each as late and as slowly as the weather has it; whoever sends is stopped meanwhile. */
function pump(from: Socket, to: Socket, { state, isOver, lets }: Pump): void {
  from.on('data', (chunk: Buffer) => {
    const { latencyMs = 0, bytesPerS, hole } = state.weather;
    if (hole === true) {
      state.swallowed += 1;
      return;
    }
    if (lets?.(chunk) === false) return;
    const waitMs = latencyMs + (bytesPerS === undefined ? 0 : (chunk.length * 1_000) / bytesPerS);
    if (waitMs === 0) {
      if (!isOver()) to.write(chunk);
      return;
    }
    from.pause();
    void systemClock.sleep(waitMs).then(() => {
      if (isOver()) return;
      to.write(chunk);
      from.resume();
    });
  });
  from.once('end', () => void (isOver() || state.weather.hole === true || to.end()));
}

/** ReadyForQuery, and no transaction is open: what went before is done. */
const readyAndIdle = Buffer.from([0x5a, 0, 0, 0, 5, 0x49]);
const committed = Buffer.from('COMMIT\0');

function isLost(chunk: Buffer, state: State): boolean {
  const { losing } = state;
  if (losing === undefined || state.lost >= losing.countMax) return false;
  if (!chunk.subarray(-readyAndIdle.length).equals(readyAndIdle)) return false;
  if (losing.of === 'commit' && !chunk.includes(committed)) return false;
  state.ends += 1;
  if (state.ends % losing.every !== 0) return false;
  state.lost += 1;
  return true;
}
