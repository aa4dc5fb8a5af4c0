import type { Channel, Listener } from '../../../src/db/listen.ts';
import type { Meeting } from './faults.ts';

/** Until a connection that died without a word is noticed and there again; src/db/listen.ts looks every 10 s. */
const goneMs = 10_250;

/** Hands notifications to whoever listens in one life of a server: late, or lost with the connection, which comes back and says so. */
export function createSimulatedListener({ postgres, process, faults }: Meeting): Listener {
  const callbacks: { channel: Channel; callback: (payload: string) => void }[] = [];
  let isListening = false;
  const tellAll = (): void => {
    for (const { callback } of callbacks) callback('');
  };

  function reconnectIn(ms: number): void {
    isListening = false;
    process.after(ms, () => {
      isListening = true;
      tellAll();
    });
  }

  let hasStopped = false;
  postgres.onNotify((channel, payload) => {
    if (!isListening || hasStopped) return;
    if (faults.isNotificationLost()) {
      reconnectIn(goneMs);
      return;
    }
    process.after(faults.takesMs(), () => {
      for (const entry of callbacks) if (entry.channel === channel && !hasStopped) entry.callback(payload);
    });
  });
  return {
    on: (channel, callback) => void callbacks.push({ channel, callback }),
    start: () => reconnectIn(faults.takesMs()),
    stop() {
      hasStopped = true;
      return Promise.resolve();
    },
  };
}
