import { statement } from '../statement.ts';

/** The row of a live server, with the ids of its job slots. */
export const beatServer = statement<object>(
  'beat_server',
  `insert into servers (id, job_slots, name, version, url, state) values ($1, $2, $3, $4, $5, $6)
   on conflict (id) do update
      set beat_at = now(), job_slots = excluded.job_slots, name = excluded.name, version = excluded.version, url = excluded.url,
          state = excluded.state`,
);

export const leaveServers = statement<object>('leave_servers', 'delete from servers where id = $1');

/** Frees what servers hold that have been silent for longer than $1 milliseconds, and forgets them. */
export const buryServers = statement<{ id: string }>(
  'bury_servers',
  `with dead as (delete from servers where beat_at < now() - make_interval(secs => $1::int / 1000.0) returning id, job_slots),
        freed as (select graphile_worker.force_unlock_workers(job_slots) from dead)
   select id from dead where (select count(*) from freed) >= 0`,
);

/** Frees locks whose slot belongs to no server in the table, and is none of $2: left by one that died before its first beat. */
export const freeForeignLocks = statement<{ slot: string }>(
  'free_foreign_locks',
  `with foreign_slots as (
     select distinct locked_by as slot from graphile_worker._private_jobs
      where locked_by is not null and locked_at < now() - make_interval(secs => $1::int / 1000.0)
        and locked_by <> all ($2::text[]) and not exists (select from servers where locked_by = any (job_slots)))
   select slot, graphile_worker.force_unlock_workers(array[slot]) from foreign_slots`,
);

/** Frees what is locked by $2 for longer than $1 milliseconds and is none of the jobs $3 that they are doing: its taker never heard of it. */
export const freeUnheardLocks = statement<{ id: string }>(
  'free_unheard_locks',
  `update graphile_worker._private_jobs set locked_at = null, locked_by = null, run_at = greatest(run_at, now())
    where locked_by = any ($2::text[]) and locked_at < now() - make_interval(secs => $1::int / 1000.0) and id <> all ($3::bigint[])
    returning id::text`,
);
