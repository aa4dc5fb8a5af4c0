import { retrying } from '../client/index.ts';
import type { Clock } from '../kernel/clock.ts';
import { Fault, isFault } from '../kernel/fault.ts';
import type { Log } from '../kernel/log.ts';
import type { Call, LeaseKey, Progress, Protocol } from './client.ts';

export interface LeaseOptions {
  readonly protocol: Protocol;
  readonly key: LeaseKey;
  /** As the claim said them. */
  readonly leaseMs: number;
  readonly heartbeatMs: number;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
}

/**
 * A lease as this worker knows it: held until its deadline by the monotonic clock, which each heartbeat moves on, counted from
 * when the heartbeat was sent. Time that the process was stopped or too busy counts, so a lease that ran out meanwhile is
 * known to be lost before anything is sent.
 */
export interface Lease {
  /** Aborted with a Fault when the lease is lost: `lease_lost`, or `unauthenticated` where the token is refused. */
  readonly signal: AbortSignal;
  /** Resolves when the server has confirmed the lease; throws the signal's reason. */
  confirmed(): Promise<void>;
  /** Tells the server with a heartbeat at once. */
  progress(progress: Progress): void;
  /** Sends something in the name of the lease, again and again until an answer comes or the lease is lost. */
  send<T>(work: (key: LeaseKey, call: Call) => Promise<T>): Promise<T>;
  /**
   * As `send`, for the call that ends the run: its answer alone says whether the lease was held, as a heartbeat that overtakes
   * it finds no lease any more.
   */
  sendLast<T>(work: (key: LeaseKey, call: Call) => Promise<T>, beforeSend?: () => void): Promise<T>;
  /** Stops the heartbeats. */
  release(): Promise<void>;
}

export function holdLease(options: LeaseOptions): Lease {
  const { protocol, key, clock, random, log } = options;
  const lost = new AbortController();
  const released = new AbortController();
  let { leaseMs, heartbeatMs } = options;
  // Until the first heartbeat is answered, nobody knows how long the claim's answer was on its way.
  let deadline = clock.mono() + usableMs(leaseMs);
  let progress: Progress = { state: 'starting' };
  let isEnding = false;
  let wakeUp = (): void => {};
  let confirm = (): void => {};
  const firstAnswer = new Promise<void>(resolve => {
    confirm = resolve;
  });

  function lose(reason: Fault): void {
    if (lost.signal.aborted || released.signal.aborted) return;
    log.warn({ run: key.runId, reason: reason.message }, 'the lease is lost');
    lost.abort(reason);
    confirm();
  }

  function check(): void {
    if (clock.mono() >= deadline) lose(new Fault('lease_lost', { message: 'The lease ran out: no heartbeat was answered in time' }));
    lost.signal.throwIfAborted();
  }

  async function beat(): Promise<void> {
    const sentAt = clock.mono();
    const timeoutMs = Math.max(1, Math.min(deadline - sentAt, Math.max(heartbeatMs, 1_000)));
    const answer = await protocol.heartbeat(key, progress, { signal: released.signal, timeoutMs });
    ({ leaseMs, heartbeatMs } = answer);
    deadline = sentAt + usableMs(leaseMs);
    check();
    confirm();
  }

  /** True: all went well. */
  async function tryBeat(): Promise<boolean> {
    try {
      await beat();
      return true;
    } catch (error) {
      if (released.signal.aborted || lost.signal.aborted) return false;
      if (isFault(error) && !error.kind.retry && error.code !== 'unknown_answer') refused(error);
      else log.debug({ run: key.runId, error: String(error) }, 'a heartbeat was not answered');
      return false;
    }
  }

  function refused(fault: Fault): void {
    if (isEnding) released.abort();
    else lose(fault);
  }

  async function keep(): Promise<void> {
    while (!released.signal.aborted && !lost.signal.aborted) {
      const wentWell = await tryBeat();
      await nap(Math.min(wentWell ? heartbeatMs : Math.min(heartbeatMs / 4, 500), deadline - clock.mono()));
      if (!released.signal.aborted && clock.mono() >= deadline) {
        lose(new Fault('lease_lost', { message: 'The lease ran out: no heartbeat was answered in time' }));
      }
    }
  }

  async function nap(ms: number): Promise<void> {
    if (ms <= 0 || released.signal.aborted || lost.signal.aborted) return;
    const sleep = new AbortController();
    wakeUp = () => sleep.abort();
    await clock.sleep(ms, sleep.signal);
    wakeUp = () => {};
  }

  const send: Lease['send'] = work =>
    retrying({ clock, random, signal: lost.signal }, () => {
      check();
      return work(key, { signal: lost.signal });
    });

  const keeping = keep();
  return {
    signal: lost.signal,
    send,
    async confirmed() {
      await firstAnswer;
      check();
    },
    progress(next) {
      progress = { ...progress, ...next };
      wakeUp();
    },
    sendLast(work, beforeSend = () => {}) {
      isEnding = true;
      return send((key, call) => {
        beforeSend();
        return work(key, call);
      });
    },
    async release() {
      released.abort();
      wakeUp();
      await keeping;
    },
  };
}

/** The worker gives up a little before the server does. */
function usableMs(leaseMs: number): number {
  return leaseMs - Math.min(2_000, leaseMs / 5);
}
