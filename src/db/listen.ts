import pg from 'pg';
import type { Clock } from '../kernel/clock.ts';
import type { Log } from '../kernel/log.ts';
import type { Lifecycle } from '../kernel/loop.ts';

export type Channel = 'skep_events' | 'skep_runs';

export interface Listener extends Lifecycle {
  /** Calls back on each notification, and once after each reconnection, since some may have been missed. */
  on(channel: Channel, callback: (payload: string) => void): void;
}

/** Longest time after which a connection that died without a word is noticed. */
const probeMs = 10_000;
const reconnectMs = 250;

/** One connection that listens, and comes back by itself. A notification is only a hint: whoever gets one reads the tables. */
export function createListener(url: string, clock: Clock, log: Log): Listener {
  const callbacks: { channel: Channel; callback: (payload: string) => void }[] = [];
  const stopping = new AbortController();
  let running: Promise<void> | undefined;

  async function listenOnce(): Promise<void> {
    const client = new pg.Client({
      connectionString: url,
      application_name: 'skep listen',
      connectionTimeoutMillis: 5_000,
      query_timeout: 5_000,
    });
    const lost = new AbortController();
    client.on('error', () => lost.abort());
    client.on('end', () => lost.abort());
    client.on('notification', ({ channel, payload }) => {
      for (const entry of callbacks) if (entry.channel === channel) entry.callback(payload ?? '');
    });
    try {
      await client.connect();
      await client.query('listen skep_events; listen skep_runs');
      for (const entry of callbacks) entry.callback('');
      const either = AbortSignal.any([lost.signal, stopping.signal]);
      while (!either.aborted) {
        await clock.sleep(probeMs, either);
        if (!either.aborted) await client.query('select 1');
      }
    } finally {
      await client.end().catch(() => {});
    }
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        await listenOnce();
      } catch (error) {
        log.warn({ error: String(error) }, 'the listening connection was lost');
      }
      await clock.sleep(reconnectMs, stopping.signal);
    }
  }

  return {
    on: (channel, callback) => void callbacks.push({ channel, callback }),
    start() {
      running ??= run();
    },
    async stop() {
      stopping.abort();
      await running;
    },
  };
}
