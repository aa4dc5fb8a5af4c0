import pg from 'pg';
import { type TestDatabase, testDatabase } from '../../harness/database.ts';
import { jobsTable } from '../postgres/storage/catalog/source.ts';

/** A real database of a test's own in which time and dice are what a recording says. */
export interface RealPostgres {
  connect(): Promise<pg.Client>;
  close(): Promise<void>;
}

export async function openRealPostgres(): Promise<RealPostgres> {
  const place: TestDatabase = await testDatabase();
  const clients: pg.Client[] = [];
  const types = new pg.TypeOverrides();
  // As src/db/pool.ts has it.
  types.setTypeParser(20, Number);
  const connect = async (): Promise<pg.Client> => {
    const client = new pg.Client({ connectionString: place.superuserUrl, types, options: `-c search_path=${path}` });
    client.on('error', () => {});
    await client.connect();
    await client.query(`set lock_timeout = '2s'; set statement_timeout = '20s'; set time zone 'UTC'`);
    clients.push(client);
    return client;
  };
  const first = await connect();
  await first.query(outside);
  await first.query(jobs);
  await first.query(redirected);
  return {
    connect,
    async close() {
      await Promise.all(clients.map(client => client.end().catch(() => {})));
      await place.close();
    },
  };
}

/** Before each statement its connection is told what time it is and what the dice will show. */
export async function tell(
  client: pg.Client,
  what: { at: number; begunAt: number; uuids: readonly string[]; randoms: readonly number[] },
): Promise<void> {
  const { at, begunAt, uuids, randoms } = what;
  const settings = [new Date(at).toISOString(), new Date(begunAt).toISOString(), uuids.join(' '), randoms.join(' ')];
  await client.query({ name: 'tell', text: told, values: settings });
}

/** `sim` stands before pg_catalog: an unqualified now() is its own. */
const path = 'sim,pg_catalog,skep,pg_temp';

const told = `
  select set_config('sim.now', $1, false), set_config('sim.begun', $2, false), set_config('sim.uuids', $3, false),
         set_config('sim.randoms', $4, false)`;

const throwOf = (name: string, type: string) => `
  create function sim.${name}() returns ${type} language plpgsql volatile as $$
  declare
    all_left text := current_setting('sim.${name === 'random' ? 'randoms' : 'uuids'}');
    first text := split_part(all_left, ' ', 1);
  begin
    if first = '' then raise exception 'the in-memory database has thrown fewer dice: ${name}'; end if;
    perform set_config('sim.${name === 'random' ? 'randoms' : 'uuids'}', substr(all_left, length(first) + 2), false);
    return first::${type};
  end $$;`;

const outside = `
  create schema sim;
  create function sim.clock_timestamp() returns timestamptz language sql volatile as $$ select current_setting('sim.now')::timestamptz $$;
  create function sim.now() returns timestamptz language sql stable as $$ select current_setting('sim.begun')::timestamptz $$;
  create function sim.transaction_timestamp() returns timestamptz language sql stable as $$ select current_setting('sim.begun')::timestamptz $$;
  ${throwOf('random', 'float8')}
  ${throwOf('gen_random_uuid', 'uuid')}`;

/** What the in-memory database has for graphile-worker; the job table of the real one is of another shape. */
const jobs = `
  drop schema graphile_worker cascade;
  create schema graphile_worker;
  ${jobsTable}
  create function graphile_worker.add_job(identifier text, payload json default null, queue_name text default null, run_at timestamptz default null,
                                          max_attempts int default null, job_key text default null) returns void language plpgsql as $$
  begin
    update graphile_worker._private_jobs j set payload = add_job.payload::jsonb, run_at = coalesce(add_job.run_at, sim.now()), attempts = 0
     where j.job_key = add_job.job_key and j.locked_at is null;
    if found then return; end if;
    update graphile_worker._private_jobs j set job_key = null where j.job_key = add_job.job_key;
    insert into graphile_worker._private_jobs (task, payload, run_at, job_key)
    values (identifier, coalesce(add_job.payload::jsonb, '{}'), coalesce(add_job.run_at, sim.now()), add_job.job_key);
  end $$;
  create type graphile_worker.job_spec as (identifier text, payload json, queue_name text, run_at timestamptz, max_attempts smallint,
                                           job_key text, priority smallint, flags text[]);
  create function graphile_worker.add_jobs(specs graphile_worker.job_spec[]) returns void language sql as $$
    select graphile_worker.add_job(identifier, payload, queue_name, run_at, max_attempts, job_key) from unnest(specs) $$;
  create or replace function skep.put_jobs(tasks text[], payloads json[]) returns void language sql as $$
    select graphile_worker.add_job(task, payload) from unnest(tasks, payloads) as j (task, payload) $$;
  create function graphile_worker.force_unlock_workers(worker_ids text[]) returns void language sql as $$
    update graphile_worker._private_jobs set locked_by = null, locked_at = null where locked_by = any (worker_ids) $$;`;

/** Defaults are bound to the functions that there were, and functions bring a path of their own. */
const redirected = `
  do $do$
  declare
    which record;
  begin
    for which in
      select format('alter table %s alter %I set default sim.%s', d.adrelid::regclass, a.attname, pg_get_expr(d.adbin, d.adrelid)) as mend
        from pg_attrdef d join pg_attribute a on a.attrelid = d.adrelid and a.attnum = d.adnum
        join pg_class c on c.oid = d.adrelid
       where c.relnamespace = 'skep'::regnamespace
         and replace(pg_get_expr(d.adbin, d.adrelid), 'pg_catalog.', '') in ('now()', 'clock_timestamp()', 'gen_random_uuid()')
    loop
      execute replace(which.mend, 'pg_catalog.', '');
    end loop;
    for which in
      select format('alter function %s security invoker set search_path = ${path}', p.oid::regprocedure) as mend from pg_proc p
       where p.pronamespace = 'skep'::regnamespace and p.prokind = 'f' and array_to_string(p.proconfig, ' ') like '%search_path%'
    loop
      execute which.mend;
    end loop;
  end $do$;`;
