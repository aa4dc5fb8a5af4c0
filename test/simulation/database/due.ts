import type { Storage } from '../postgres/storage/types.ts';

const jobs = 'graphile_worker._private_jobs';

/** Whether there is a job to be taken, without a statement: a slot that would find none need not ask. */
export function dueJobs(storage: Storage, now: () => number): () => boolean {
  const reader = storage.begin();
  const table = storage.catalog.table(jobs);
  const [runAt, lockedAt] = [table.position('run_at'), table.position('locked_at')];
  return () =>
    reader.scan(jobs).some(tuple => {
      const row = reader.read(tuple);
      return row !== undefined && row[lockedAt] === null && (row[runAt] as Date).getTime() <= now();
    });
}
