import type { Task } from '../../src/db/jobs/graphile.ts';
import type { FlowJob } from '../../src/db/database.ts';

type Sql = <Row extends object>(text: string, values?: readonly unknown[]) => Promise<Row[]>;

/**
 * Does all jobs that are due, and those that follow from them, one after another. A job that fails is left for later, as the product's
 * runner leaves it; throws when all is done, with the first failure.
 */
export async function doJobs(sql: Sql, tasks: Readonly<Record<string, Task>>): Promise<void> {
  for (let [job] = await sql<Job>(takeJob); job !== undefined; [job] = await sql<Job>(takeJob)) {
    const { id, name, payload } = job;
    try {
      await tasks[name]?.(payload);
      await sql('delete from graphile_worker._private_jobs where id = $1', [id]);
    } catch (error) {
      await sql(leaveJob, [id, error instanceof Error ? error.message : String(error)]);
    }
  }
  const [failed] = await sql<{ name: string; error: string }>(failedJob);
  if (failed !== undefined) throw new Error(`the job ${failed.name} failed: ${failed.error}`);
}

interface Job {
  readonly id: string;
  readonly name: string;
  readonly payload: FlowJob;
}

const takeJob = `
  update graphile_worker._private_jobs j set locked_at = now(), locked_by = 'test', attempts = j.attempts + 1
    from graphile_worker._private_tasks t
   where t.id = j.task_id and j.id = (
     select id from graphile_worker._private_jobs where is_available and run_at <= clock_timestamp()
      order by priority, run_at, id limit 1 for update skip locked)
  returning j.id, t.identifier as name, j.payload`;

const leaveJob = `
  update graphile_worker._private_jobs
     set locked_at = null, locked_by = null, last_error = $2, run_at = clock_timestamp() + make_interval(secs => exp(least(10, attempts)))
   where id = $1`;

const failedJob = `
  select t.identifier as name, j.last_error as error
    from graphile_worker._private_jobs j join graphile_worker._private_tasks t on t.id = j.task_id
   where j.last_error is not null order by j.id limit 1`;
