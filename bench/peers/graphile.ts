import { EventEmitter } from 'node:events';
import { Logger, run, type WorkerEvents } from 'graphile-worker';
import { openPool } from '../../src/db/pool.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { fillJobs } from './fill.sql.ts';
import type { Peer } from './peer.ts';

/** graphile-worker as its manual runs it: a runner with this many workers, every setting at its default. */
export async function openGraphile(url: string): Promise<Peer> {
  const pool = openPool(url, silentLog, 16);
  const logger = new Logger(() => () => {});
  const events: WorkerEvents = new EventEmitter();
  // The runner that is started first makes its tables.
  const first = await run({ pgPool: pool.raw, logger, noHandleSignals: true, concurrency: 1, taskList: { nothing: () => {} } });
  await first.stop();
  return {
    name: 'graphile-worker',
    queue: 'graphile-worker',
    async fill(count) {
      await pool.query(fillJobs, [count]);
    },
    async work(workers, count) {
      let done = 0;
      let over = () => {};
      const all = new Promise<void>(resolve => (over = resolve));
      events.on('job:success', () => (done += 1) === count && over());
      let from = Number.NaN;
      events.once('job:start', () => (from = performance.now()));
      const runner = await run({
        ...{ pgPool: pool.raw, logger, events, noHandleSignals: true, concurrency: workers },
        taskList: { work: () => {} },
      });
      await all;
      const perSecond = (count * 1_000) / (performance.now() - from);
      events.removeAllListeners('job:success');
      await runner.stop();
      return perSecond;
    },
    close: () => pool.close(),
  };
}
