import { EventEmitter } from 'node:events';
import { Logger, run, type Runner, type WorkerEvents } from 'graphile-worker';
import type { Pool, PoolClient } from 'pg';
import type { Clock } from '../../kernel/clock.ts';
import { failpoint } from '../../kernel/failpoint.ts';
import { isFault } from '../../kernel/fault.ts';
import type { Log } from '../../kernel/log.ts';
import type { Database, FlowJob } from '../database.ts';

/** Does the work of one job. Must be safe to run twice: guarded by the state that it changes. */
export type Task = (job: FlowJob) => Promise<void>;

/** What this server has in its hands; whoever takes jobs keeps both up to date. */
export interface InHand {
  /** The names under which jobs are locked. */
  readonly slots: Set<string>;
  /** The ids of the jobs that are being done. */
  readonly jobs: Set<string>;
}

/** Takes jobs as they fall due, some at once, until it is stopped or gives up; which is its promise. */
export type TakeJobs = (inHand: InHand) => Promise<Pick<Runner, 'stop' | 'promise'>>;

const slotCount = 4;
/** A job that was due in the future, or whose notification was missed, waits at most this long. */
const pollMs = 1_000;
/** So long a job is begun again by whoever has it when the database went away under it. */
const awayMsMax = 30_000;
const againMs = 200;

interface Options {
  readonly database: Database;
  readonly tasks: Readonly<Record<string, Task>>;
  readonly clock: Clock;
  readonly log: Log;
}

/** Job slots of graphile-worker, with what it does not survive by itself when the database goes away. */
export function graphile({ database, tasks, clock, log }: Options, stopping: AbortSignal): TakeJobs {
  return async ({ slots, jobs }) => {
    const events: WorkerEvents = new EventEmitter();
    const over = endOf(events, slots);
    giveUpBlind(events, log);
    // Since 0.17 a job is locked in the name of the pool, and not of the one of its workers that does it.
    events.on('pool:create', ({ workerPool }) => slots.add(workerPool.id));
    events.on('pool:release', ({ workerPool }) => slots.delete(workerPool.id));
    events.on('job:start', ({ job }) => jobs.add(job.id));
    events.on('job:complete', ({ job }) => jobs.delete(job.id));
    const runner = await run({
      pgPool: forgiving(database.enginePool.raw),
      concurrency: slotCount,
      pollInterval: pollMs,
      noHandleSignals: true,
      // One by one they are struck off the list with nobody listening: one whose connection was cut would end the whole process.
      preset: { worker: { completeJobBatchDelay: 0, failJobBatchDelay: 0 } },
      events,
      logger: new Logger(
        () => (level, message) => log[level === 'warning' ? 'warn' : level === 'info' ? 'debug' : level]({}, message),
      ),
      taskList: Object.fromEntries(
        Object.entries(tasks).map(([name, task]) => [
          name,
          (payload: unknown) => throughOutages({ clock, stopping }, () => perform(task, payload as FlowJob)),
        ]),
      ),
    });
    return {
      promise: Promise.race([runner.promise, over]),
      stop: () => Promise.race([runner.stop(), over.then(() => clock.sleep(lastWordsMs))]),
    };
  };
}

/**
 * A pool to which the connection of who listens can be given back twice. graphile-worker 0.17.3 does so where that is cut while it stops to
 * listen, in a promise that nobody waits for: the pool's error would end the process.
 */
export function forgiving(pool: Pool): Pool {
  const connect = (callback?: Connected): Promise<PoolClient> | undefined => {
    if (callback === undefined) return pool.connect();
    pool.connect((error, client, release) => {
      let isBack = false;
      callback(error, client, broken => {
        if (isBack) return;
        isBack = true;
        release(broken);
      });
    });
    return undefined;
  };
  return new Proxy(pool, {
    get(target, name) {
      if (name === 'connect') return connect;
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

type Connected = Parameters<Pool['connect']>[0];

/** For jobs that are done to be struck off the list, once all slots have stopped. */
const lastWordsMs = 2_000;

/**
 * Stops slots whose first look for a job failed, for others to be started in their stead: graphile-worker 0.17.3 asks once for the numbers
 * of its tasks, and where that fails it keeps the failure and takes no job any more.
 */
function giveUpBlind(events: WorkerEvents, log: Log): void {
  let hasLooked = false;
  const look = (): void => void (hasLooked = true);
  events.once('job:start', look);
  events.once('worker:getJob:empty', look);
  events.on('worker:getJob:error', ({ worker: { workerPool } }) => {
    if (hasLooked) return;
    look();
    log.warn({}, 'the first look for jobs failed: the job slots are started again');
    Promise.resolve(workerPool.gracefulShutdown()).catch((error: unknown) =>
      log.warn({ error: String(error) }, 'the job slots did not stop cleanly'),
    );
  });
}

/**
 * When all slots have stopped, for whatever reason. The runner's own promise does not say so: where striking off a job has failed once,
 * graphile-worker 0.17.3 counts the calls that are under way wrong, and waits for them for ever.
 */
function endOf(events: WorkerEvents, slots: Set<string>): Promise<void> {
  return new Promise(resolve => {
    for (const end of [
      'pool:gracefulShutdown:complete',
      'pool:forcefulShutdown:complete',
      'pool:forcefulShutdown:error',
    ] as const)
      events.once(end, ({ workerPool }) => {
        slots.delete(workerPool.id);
        resolve();
      });
  });
}

/**
 * That the database went away is no failure of the job, each of which makes it wait e times as long as the one before: connections that
 * are cut a few times in a row would put it off by minutes.
 */
async function throughOutages(
  { clock, stopping }: { clock: Clock; stopping: AbortSignal },
  work: () => Promise<void>,
): Promise<void> {
  for (const end = clock.mono() + awayMsMax; ; await clock.sleep(againMs, stopping)) {
    try {
      return await work();
    } catch (error) {
      if (!isFault(error, 'database_unavailable') || stopping.aborted || clock.mono() >= end) throw error;
    }
  }
}

async function perform(task: Task, job: FlowJob): Promise<void> {
  failpoint('job-taken');
  await task(job);
  failpoint('job-done');
}
