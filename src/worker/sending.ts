import { retrying } from '../client/index.ts';
import type { Clock } from '../kernel/clock.ts';
import { Fault, isFault } from '../kernel/fault.ts';
import type { Call, LeaseKey } from './client.ts';
import { runFailure } from './failure.ts';

/** What is sent in the name of a lease. */
export interface Sending {
  /**
   * Aborted with what aborts the lease's signal, or when the time of `closeWithin` is over with a run failure: `network` where
   * the server could not be reached, otherwise `sandbox`.
   */
  readonly ending: AbortSignal;
  /** From now on all that is sent must have been answered within `ms`. Heartbeats alone would keep a run for ever. */
  closeWithin(ms: number): void;
  /** Sends something in the name of the lease, again and again until an answer comes or `ending` is aborted. */
  send<T>(work: (key: LeaseKey, call: Call) => Promise<T>): Promise<T>;
  /**
   * As `send`, for the call that ends the run: its answer alone says whether the lease was held, as a heartbeat that overtakes
   * it finds no lease any more.
   */
  sendLast<T>(work: (key: LeaseKey, call: Call) => Promise<T>): Promise<T>;
  /** As `sendLast`, to say that the run failed: also after `closeWithin`, for 2 minutes at most. */
  handBack<T>(work: (key: LeaseKey, call: Call) => Promise<T>): Promise<T>;
}

interface SendingOptions {
  readonly key: LeaseKey;
  readonly clock: Clock;
  readonly random: () => number;
  readonly tenure: {
    readonly signal: AbortSignal;
    readonly check: () => void;
    readonly lose: (reason: Fault) => void;
  };
  readonly released: AbortSignal;
}

const handBackMsMax = 120_000;

/** `isEnding`: whether the call that ends the run is under way. */
export function createSending({ key, clock, random, tenure, released }: SendingOptions): {
  readonly face: Sending;
  readonly isEnding: () => boolean;
} {
  const ending = new AbortController();
  let isEnding = false;
  let trouble: Error | undefined;
  tenure.signal.addEventListener('abort', () => ending.abort(tenure.signal.reason), { once: true });
  released.addEventListener('abort', () => ending.abort(new Fault('lease_lost', { message: 'The run has ended' })), {
    once: true,
  });

  async function sendOnce<T>(work: Work<T>): Promise<T> {
    tenure.check();
    try {
      // The last call is not cut at the deadline: the server may have it already, and what it says of it is what counts.
      return await work(key, { signal: isEnding ? released : ending.signal });
    } catch (error) {
      if (isRefusal(error)) tenure.lose(error);
      throw error;
    }
  }

  const onRetry = (error: Error): void => void (trouble = error);
  const send: Sending['send'] = work => retrying({ clock, random, signal: ending.signal, onRetry }, () => sendOnce(work));
  const face: Sending = {
    ending: ending.signal,
    closeWithin(ms) {
      trouble = undefined;
      void clock.sleep(ms, released).then(() => {
        if (!released.aborted) ending.abort(overdue(ms, trouble));
      });
    },
    send,
    sendLast(work) {
      isEnding = true;
      return send(work);
    },
    handBack(work) {
      isEnding = true;
      return retrying({ clock, random, signal: tenure.signal, elapsedMsMax: handBackMsMax }, () => sendOnce(work));
    },
  };
  return { face, isEnding: () => isEnding };
}

type Work<T> = (key: LeaseKey, call: Call) => Promise<T>;

function isRefusal(error: unknown): error is Fault {
  return isFault(error, 'lease_lost') || isFault(error, 'unauthenticated') || isFault(error, 'forbidden');
}

function overdue(ms: number, trouble: Error | undefined): Fault {
  const words = trouble === undefined ? '' : `; the last call that did not succeed: ${trouble.message}`;
  const failureClass = isFault(trouble, 'server_unavailable') ? 'network' : 'sandbox';
  return runFailure(failureClass, `The run could not be handed over within ${ms / 1_000} s of its agent's end${words}`);
}
