import { retrying } from '../client/index.ts';
import type { Clock } from '../kernel/clock.ts';
import { Fault, isFault } from '../kernel/fault.ts';
import type { Call, LeaseKey } from './client.ts';
import { runFailure } from './failure.ts';
import type { Lease } from './lease.ts';

interface Sending extends Pick<Lease, 'ending' | 'closeWithin' | 'send' | 'sendLast' | 'handBack'> {
  /** Whether the call that ends the run is under way. */
  readonly isEnding: () => boolean;
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

/** What is sent in the name of a lease, as Lease tells it. */
export function createSending({ key, clock, random, tenure, released }: SendingOptions): Sending {
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
  const send: Lease['send'] = work => retrying({ clock, random, signal: ending.signal, onRetry }, () => sendOnce(work));
  return {
    ending: ending.signal,
    isEnding: () => isEnding,
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
}

type Work<T> = (key: LeaseKey, call: Call) => Promise<T>;

function isRefusal(error: unknown): error is Fault {
  return isFault(error, 'lease_lost') || isFault(error, 'unauthenticated') || isFault(error, 'forbidden');
}

function overdue(ms: number, trouble: Error | undefined): Fault {
  const words = trouble === undefined ? '' : `; the last call that did not succeed: ${trouble.message}`;
  return runFailure('sandbox', `The run could not be handed over within ${ms / 1_000} s of its agent's end${words}`);
}
