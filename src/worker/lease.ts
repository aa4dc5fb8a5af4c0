import type { Clock } from '../kernel/clock.ts';
import { Fault, isFault } from '../kernel/fault.ts';
import type { Log } from '../kernel/log.ts';
import type { LeaseKey, Progress, Protocol } from './client.ts';
import { startHeart } from './heart.ts';
import { createSending } from './sending.ts';
import type { Sending } from './sending.ts';

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
export interface Lease extends Sending {
  /** Aborted with a Fault when the lease is lost: `lease_lost`, or `unauthenticated` where the token is refused. */
  readonly signal: AbortSignal;
  /** Aborted when a heartbeat has said that the run cannot go on, with the kind of its halt. The lease is held all the same. */
  readonly halted: AbortSignal;
  /** Resolves when the server has confirmed the lease; throws the signal's reason. */
  confirmed(): Promise<void>;
  /** Tells the server with a heartbeat at once. */
  progress(progress: Progress): void;
  /** Stops the heartbeats and what is still being sent. */
  release(): Promise<void>;
}

export function holdLease({ protocol, key, clock, random, log, ...granted }: LeaseOptions): Lease {
  const released = new AbortController();
  const tenure = createTenure({ clock, log, leaseMs: granted.leaseMs });
  const { signal } = tenure;
  const sending = createSending({ key, clock, random, tenure, released: released.signal });
  const halting = new AbortController();
  const confirmation = signalled();
  signal.addEventListener('abort', confirmation.resolve, { once: true });
  let heartbeatMs = granted.heartbeatMs;
  let progress: Progress = { state: 'starting' };

  async function beat(): Promise<number | undefined> {
    try {
      tenure.check();
      await renew();
      return Math.min(heartbeatMs, tenure.leftMs());
    } catch (error) {
      if (released.signal.aborted || signal.aborted) return undefined;
      log.debug({ error: String(error) }, 'a heartbeat failed');
      if (!isFinal(error)) return Math.min(heartbeatMs / 4, 500, tenure.leftMs());
      // The call that ends the run was quicker than this heartbeat; its answer decides.
      if (sending.isEnding()) return tenure.leftMs();
      tenure.lose(error);
      return undefined;
    }
  }

  async function renew(): Promise<void> {
    const sentAt = clock.mono();
    const timeoutMs = Math.max(1, Math.min(tenure.leftMs(), Math.max(heartbeatMs, 1_000)));
    const answer = await protocol.heartbeat(key, progress, { signal: released.signal, timeoutMs });
    heartbeatMs = answer.heartbeatMs;
    if (answer.halt !== undefined && answer.halt !== null) halting.abort(answer.halt.kind);
    tenure.renewed(sentAt, answer.leaseMs);
    tenure.check();
    confirmation.resolve();
  }

  const heart = startHeart({ clock, beat });
  return {
    signal,
    halted: halting.signal,
    ...sending.face,
    async confirmed() {
      await confirmation.promise;
      tenure.check();
    },
    progress(next) {
      progress = { ...progress, ...next };
      heart.hurry();
    },
    async release() {
      released.abort();
      await heart.stop();
    },
  };
}

interface Tenure {
  readonly signal: AbortSignal;
  readonly leftMs: () => number;
  /** Throws when the lease is not held any more. */
  readonly check: () => void;
  readonly renewed: (sentAt: number, leaseMs: number) => void;
  readonly lose: (reason: Fault) => void;
}

function createTenure({ clock, log, leaseMs }: { clock: Clock; log: Log; leaseMs: number }): Tenure {
  const lost = new AbortController();
  // Provisional: until the first heartbeat is answered, nobody knows how long the claim's answer was on its way.
  let deadline = clock.mono() + usableMs(leaseMs);

  function lose(reason: Fault): void {
    if (lost.signal.aborted) return;
    log.warn({ reason: reason.message }, 'the lease is lost');
    lost.abort(reason);
  }

  return {
    signal: lost.signal,
    lose,
    leftMs: () => deadline - clock.mono(),
    check() {
      if (clock.mono() >= deadline) {
        lose(new Fault('lease_lost', { message: 'The lease ran out: no heartbeat was answered in time' }));
      }
      lost.signal.throwIfAborted();
    },
    renewed(sentAt, leaseMs) {
      deadline = sentAt + usableMs(leaseMs);
    },
  };
}

function isFinal(error: unknown): error is Fault {
  return isFault(error) && !error.kind.retry && error.code !== 'unknown_answer';
}

function signalled(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => {};
  const promise = new Promise<void>(done => {
    resolve = done;
  });
  return { promise, resolve };
}

/** The worker gives up a little before the server does. */
function usableMs(leaseMs: number): number {
  return leaseMs - Math.min(2_000, leaseMs / 5);
}
