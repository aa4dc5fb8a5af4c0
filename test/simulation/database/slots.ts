import type { Database } from '../../../src/db/database.ts';
import type { TakeJobs, Task } from '../../../src/db/jobs/graphile.ts';
import { createLoop, type Loop } from '../../../src/kernel/loop.ts';
import type { Clock } from '../../../src/kernel/clock.ts';
import { silentLog } from '../../../src/kernel/log.ts';
import { completeJob, failJob, releaseJobs, takeJob, type TakenJob } from './jobs.sql.ts';

interface SlotsOptions {
  readonly database: Database;
  readonly tasks: Readonly<Record<string, Task>>;
  readonly clock: Clock;
  /** Of this life of this server: its slots are called after it. */
  readonly name: string;
  /** Whether there is anything to take; where it is not known, a slot asks. */
  readonly isAnyDue?: () => boolean;
  /** Told of what a job threw. */
  readonly whenFailed?: (job: TakenJob, error: unknown) => void;
  /** So long a job that was taken lies there before it is begun: milliseconds. */
  readonly lateMs?: () => number;
}

const slotCount = 4;
/** As src/db/jobs/graphile.ts has it. */
const pollMs = 1_000;

interface Turn {
  /** The ids of the jobs that are being done. */
  readonly doing: Set<string>;
  readonly whenTaken: () => void;
}

/** Stands for graphile-worker: at least once, again after exp(attempts) seconds, at most 25 times. */
export function takeSimulatedJobs({ isAnyDue = () => true, lateMs = () => 0, ...options }: SlotsOptions): TakeJobs {
  const { database, tasks, clock, name, whenFailed } = options;

  async function work(slot: string, { doing, whenTaken }: Turn): Promise<boolean> {
    if (!isAnyDue()) return false;
    const [job] = await database.enginePool.query(takeJob, [slot]);
    if (job === undefined) return false;
    doing.add(String(job.id));
    whenTaken();
    try {
      const waitMs = lateMs();
      if (waitMs > 0) await clock.sleep(waitMs);
      await perform(job, slot);
    } finally {
      doing.delete(String(job.id));
    }
    return true;
  }

  async function perform(job: TakenJob, slot: string): Promise<void> {
    try {
      const task = tasks[job.task];
      if (task === undefined) throw new Error(`There is no task ${job.task}`);
      await task(job.payload);
    } catch (error) {
      whenFailed?.(job, error);
      await again(() => database.enginePool.query(failJob, [job.id, slot, Math.exp(Math.min(job.attempts, 10))]));
      return;
    }
    await again(() => database.enginePool.query(completeJob, [job.id, slot]));
  }

  /** What became of a job must be said, as graphile-worker does: else it is locked as long as this server lives. */
  async function again(say: () => Promise<unknown>): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        await say();
        return;
      } catch (error) {
        if (attempt === 10) throw error;
        await clock.sleep(100 * attempt);
      }
    }
  }

  return ({ slots, jobs }) => {
    const idle = new Set<Loop>();
    // One at a time, and who has taken a job wakes the next: as many look for jobs as there are.
    const wakeOne = (): void => [...idle][0]?.wake();
    const loops = Array.from({ length: slotCount }, (_, i): Loop => {
      const slot = `${name}-${i}`;
      slots.add(slot);
      const turn = async (): Promise<boolean> => {
        idle.delete(loop);
        const found = await work(slot, { doing: jobs, whenTaken: wakeOne });
        if (!found) idle.add(loop);
        return found;
      };
      const loop = createLoop({ name: slot, clock, log: silentLog, idleMs: pollMs, turn });
      return loop;
    });
    database.onCommit(wakeOne);
    for (const loop of loops) loop.start();
    let end = (): void => {};
    const promise = new Promise<void>(resolve => {
      end = resolve;
    });
    return Promise.resolve({
      promise,
      async stop() {
        await Promise.all(loops.map(loop => loop.stop()));
        await database.enginePool.query(releaseJobs, [[...slots]]);
        slots.clear();
        end();
      },
    });
  };
}
