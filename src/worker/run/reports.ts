import type { Log } from '../../kernel/log.ts';
import type { Protocol } from '../client.ts';
import type { Lease } from '../lease.ts';
import type { Secrets } from './secrets/index.ts';

/** Events of a run, sent in order while the run goes on. */
export interface Reports {
  add(type: string, payload: Record<string, unknown>): void;
  /** Resolves when all have been sent. Never throws: a run is not lost for an event. */
  sent(): Promise<void>;
}

interface Parts {
  readonly protocol: Protocol;
  readonly lease: Lease;
  readonly secrets: Secrets;
  readonly log: Log;
}

export function createReports({ protocol, lease, secrets, log }: Parts): Reports {
  let queue: Promise<void> = Promise.resolve();
  return {
    add(type, payload) {
      queue = queue
        .then(() => lease.send((key, call) => protocol.report(key, { type, payload: secrets.outOf(payload) }, call)))
        .catch((error: unknown) => {
          if (!lease.signal.aborted) log.debug({ type, error: String(error) }, 'an event of a run could not be sent');
        });
    },
    sent: () => queue,
  };
}
