import type { Clock } from '../../kernel/clock.ts';
import { Fault } from '../../kernel/fault.ts';
import type { Log } from '../../kernel/log.ts';
import { createLoop, type Lifecycle } from '../../kernel/loop.ts';
import { livePostmaster } from './pid-file.ts';
import { inspectData, siteOf } from './place/folder.ts';
import { startEmbedded } from './start.ts';

interface WatchOptions {
  /** SKEP_HOME, an absolute path. */
  readonly home: string;
  /** The one that this process knows: its connections come back to the same. */
  readonly port: number;
  readonly clock: Clock;
  readonly log: Log;
}

/** Two small files are read for each look. */
const lookMs = 250;
const longestWaitMs = 5_000;

/**
 * Starts the server of a home again when it has died: killed, out of memory, or stopped by a process that believed itself alone.
 * Any number of processes may watch one home: the start's lock lets one of them do it. It never makes a new data folder: an
 * empty database in place of a lost one would look like an answer.
 */
export function createWatch({ home, port, clock, log }: WatchOptions): Lifecycle {
  const { data } = siteOf(home);
  let failures = 0;

  async function revive(signal: AbortSignal): Promise<void> {
    const since = clock.mono();
    log.error({ path: data }, 'the database has died; it is started again');
    try {
      if (inspectData(siteOf(home)).is !== 'cluster')
        throw new Fault('database_unusable', { message: `There is no database in ${data} any more` });
      const { pid } = await startEmbedded({ home, port, clock, log });
      failures = 0;
      log.warn({ pid, ms: Math.round(clock.mono() - since) }, 'the database is back');
    } catch (error) {
      failures += 1;
      log.error({ path: data, failures, error: String(error) }, 'the database could not be started; it is tried again');
      await clock.sleep(Math.min(longestWaitMs, lookMs * 2 ** Math.min(failures, 10)), signal);
    }
  }

  return createLoop({
    name: 'database watch',
    clock,
    log,
    idleMs: lookMs,
    async turn(signal) {
      if (livePostmaster(data) === undefined) await revive(signal);
      return false;
    },
  });
}
