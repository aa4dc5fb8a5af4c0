import { statement } from '../../../src/db/statement.ts';
import type { FlowJob } from '../../../src/db/database.ts';

export interface TakenJob {
  readonly id: number;
  readonly task: string;
  readonly payload: FlowJob;
  readonly attempts: number;
}

/** As graphile-worker's get_job; 25 is its max_attempts. */
export const takeJob = statement<TakenJob>(
  'take_job',
  `update graphile_worker._private_jobs set locked_by = $1, locked_at = now(), attempts = attempts + 1
    where id = (select id from graphile_worker._private_jobs
                 where locked_at is null and run_at <= now() and attempts < 25
                 order by run_at, id limit 1 for update skip locked)
   returning id, task, payload, attempts`,
);

export const completeJob = statement<object>(
  'complete_job',
  'delete from graphile_worker._private_jobs where id = $1 and locked_by = $2',
);

/** Tried again in $3 seconds. */
export const failJob = statement<object>(
  'fail_job',
  `update graphile_worker._private_jobs
      set locked_by = null, locked_at = null, run_at = greatest(now(), run_at) + make_interval(secs => $3::float8)
    where id = $1 and locked_by = $2`,
);

export const releaseJobs = statement<object>(
  'release_jobs',
  `update graphile_worker._private_jobs set locked_by = null, locked_at = null where locked_by = any ($1::text[])`,
);
