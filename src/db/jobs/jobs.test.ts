import pg from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { query, type TestDatabase, testDatabase } from '../../../test/harness/database.ts';
import { createGate } from '../../../test/harness/gate.ts';
import { systemClock } from '../../kernel/clock.ts';
import { silentLog } from '../../kernel/log.ts';
import type { Lifecycle } from '../../kernel/loop.ts';
import { type Database, type FlowJob, openDatabase } from '../database.ts';
import { forgiving, type Task } from './graphile.ts';
import { createJobs } from './index.ts';
import { statement } from '../statement.ts';

let place: TestDatabase;
let database: Database;
let tenantId: string;
let servers: Lifecycle[];
beforeEach(async () => {
  place = await testDatabase();
  database = openDatabase({ ...place, routes: { 'project.created': ['work'] }, clock: systemClock, log: silentLog });
  tenantId = await place.makeTenant('jobs');
  servers = [];
});
afterEach(async () => {
  await Promise.all(servers.map(server => server.stop()));
  await database.close();
  await place.close();
});

const facts = { name: 'test:1', version: '1.2.3', url: 'http://127.0.0.1:1', state: 'active' } as const;

const sql = <Row extends object>(text: string, values: readonly unknown[] = []) => query<Row>(place.superuserUrl, text, values);

function start(work: Task): Lifecycle {
  const jobs = createJobs({ database, tasks: { work }, server: () => facts, clock: systemClock, log: silentLog });
  servers.push(jobs);
  jobs.start();
  return jobs;
}

const enqueue = (id: string) =>
  database.request({ tenantId, actor: 'test' }, async tx =>
    tx.announce({ type: 'project.created', subject: { type: 'project', id } }),
  );

/** A worker that tells which jobs it did, and when it has done a certain one. */
function createWorker() {
  const done: string[] = [];
  const waiting = new Map<string, () => void>();
  return {
    done,
    work: async ({ subject }: FlowJob) => {
      done.push(subject.id);
      waiting.get(subject.id)?.();
    },
    has: (id: string) => {
      const gate = createGate();
      waiting.set(id, gate.open);
      if (done.includes(id)) gate.open();
      return gate.passed;
    },
  };
}

const cutOff = statement<object>('cut_off', 'select pg_terminate_backend(pg_backend_pid())');

const jobsLeft = () => sql<{ locked: boolean }>('select locked_at is not null as locked from graphile_worker._private_jobs');

describe('a job', () => {
  test('is done with what its event said, and is gone', async () => {
    const told = createGate();
    let job: FlowJob | undefined;
    start(async given => {
      job = given;
      told.open();
    });
    await enqueue('p1');
    await told.passed;
    expect(job).toEqual({ type: 'project.created', subject: { type: 'project', id: 'p1' }, tenantId });
    while ((await jobsLeft()).length > 0);
  });

  test('100 of them over two servers are each done once', async () => {
    const [one, two] = [createWorker(), createWorker()];
    start(one.work);
    start(two.work);
    await Promise.all(Array.from({ length: 100 }, (_, i) => enqueue(`${i}`)));
    while ((await jobsLeft()).length > 0);
    expect([...one.done, ...two.done].toSorted()).toEqual(Array.from({ length: 100 }, (_, i) => `${i}`).toSorted());
  });

  test('that takes longer than a server may be silent is done once', async () => {
    const begun: string[] = [];
    const ended = createGate();
    start(async ({ subject }) => {
      begun.push(subject.id);
      await systemClock.sleep(8_000);
      ended.open();
    });
    await enqueue('long');
    await ended.passed;
    while ((await jobsLeft()).length > 0);
    expect(begun).toEqual(['long']);
  });

  test('that its server never heard of having taken is done soon all the same', async () => {
    const worker = createWorker();
    start(worker.work);
    await enqueue('first');
    await worker.has('first');
    // It has said under which name it takes jobs.
    while ((await sql('select from servers where job_slots <> $1', [[]])).length === 0);
    // As a connection leaves it that is cut between the commit and the answer.
    await sql(
      `insert into graphile_worker._private_jobs (task_id, payload, locked_by, locked_at, attempts)
       select t.id, $1::json, s.slot, now() - interval '11 seconds', 1
         from graphile_worker._private_tasks t, (select unnest(job_slots) as slot from servers limit 1) s where t.identifier = 'work'`,
      [JSON.stringify({ type: 'project.created', subject: { type: 'project', id: 'taken' }, tenantId })],
    );
    await worker.has('taken');
    expect(worker.done).toEqual(['first', 'taken']);
  });

  test('under which the database goes away again and again is done as soon as it is back', async () => {
    let tries = 0;
    let seen: object[] = [];
    const done = createGate();
    start(async () => {
      tries += 1;
      if (tries < 5) await database.enginePool.query(cutOff);
      seen = await sql('select attempts, last_error from graphile_worker._private_jobs');
      done.open();
    });
    await enqueue('cut');
    await done.passed;
    // Each attempt that fails makes it wait, up to minutes.
    expect(seen).toEqual([{ attempts: 1, last_error: null }]);
    expect(tries).toBe(5);
  });

  test('that is being done is finished before its server leaves', async () => {
    const [began, gate] = [createGate(), createGate()];
    let finished = false;
    const server = start(async () => {
      began.open();
      await gate.passed;
      finished = true;
    });
    await enqueue('slow');
    await began.passed;
    const stopped = server.stop();
    gate.open();
    await stopped;
    expect(finished).toBe(true);
    expect(await jobsLeft()).toEqual([]);
    expect(await sql('select from servers')).toEqual([]);
  });
});

test('a server says of itself what people ask for', async () => {
  start(async () => {});
  let rows: object[] = [];
  while (rows.length === 0) rows = await sql('select name, version, url, state from servers');
  expect(rows).toEqual([facts]);
});

describe('a dead server', () => {
  /** Its job as it left it: locked by a slot of its own, `silentS` seconds ago. */
  async function leave(id: string, silentS: number, serverRow: boolean): Promise<void> {
    await enqueue(id);
    await sql(
      `update graphile_worker._private_jobs set locked_by = 'slot of the dead', locked_at = now() - make_interval(secs => $1), attempts = 1`,
      [silentS],
    );
    if (serverRow) {
      await sql(
        `insert into servers (id, job_slots, beat_at) values (gen_random_uuid(), array['slot of the dead'], now() - make_interval(secs => $1))`,
        [silentS],
      );
    }
  }

  test.each([
    ['that had told of itself', true],
    ['that died before its first beat', false],
  ])('%s: its job is freed by another and done, and its row is gone', async (_, serverRow) => {
    await leave('left', 11, serverRow);
    const worker = createWorker();
    start(worker.work);
    await worker.has('left');
    expect(await sql(`select from servers where 'slot of the dead' = any (job_slots)`)).toEqual([]);
    expect(worker.done).toEqual(['left']);
  });

  test('that lives keeps the job that it has been doing for an hour', async () => {
    await leave('kept', 3_600, true);
    await sql(`update servers set beat_at = now() + interval '1 minute'`);
    const worker = createWorker();
    start(worker.work);
    await enqueue('other');
    await worker.has('other');
    // Two more beats of the other one.
    const beat = async () => (await sql<{ at: string }>(`select beat_at::text as at from servers where beat_at < now()`))[0]?.at;
    for (let beats = 0; beats < 2; beats++) {
      const before = await beat();
      while ((await beat()) === before);
    }
    expect(worker.done).toEqual(['other']);
    expect((await jobsLeft()).filter(job => job.locked)).toHaveLength(1);
  });
});

describe('the database away', () => {
  const cut = () =>
    sql(`select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`);

  test('all connections cut: jobs are done again soon after', async () => {
    const worker = createWorker();
    start(worker.work);
    await enqueue('before');
    await worker.has('before');
    await cut();
    await enqueue('after').catch(() => enqueue('after'));
    await worker.has('after');
  });

  test('cut where one of several jobs is struck off: all are done soon after', { timeout: 60_000 }, async () => {
    await sql('create sequence struck');
    await sql(
      `create function strike() returns trigger language plpgsql security definer as $$ begin
         perform pg_sleep(case nextval('struck') when 1 then 60 when 2 then 2 when 3 then 2 else 0 end);
         return old; end $$`,
    );
    await sql('create trigger strike before delete on graphile_worker._private_jobs for each row execute function strike()');
    const worker = createWorker();
    const gate = createGate();
    start(async job => {
      await worker.work(job);
      if (job.subject.id === 'long') await gate.passed;
    });
    // One after the other, so that none is struck off together with another.
    for (const id of ['long', 'one', 'two', 'three']) {
      await enqueue(id);
      await worker.has(id);
    }
    const sleeping = `from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'`;
    await expect.poll(() => sql(`select pid ${sleeping}`), { timeout: 10_000 }).toHaveLength(3);
    await sql(`select pg_terminate_backend(pid) from (select pid ${sleeping} order by query_start limit 1) first`);
    await expect.poll(() => sql(`select pid ${sleeping}`), { timeout: 10_000 }).toEqual([]);
    gate.open();
    for (const id of ['four', 'five']) {
      await enqueue(id);
      await worker.has(id);
    }
    await expect.poll(jobsLeft, { timeout: 20_000 }).toEqual([]);
  });

  test('cut where a server looks for its first job: it does jobs soon after', async () => {
    await sql('create sequence looks');
    await sql(
      `create function cut_first() returns trigger language plpgsql security definer as $$ begin
         if current_query() like 'insert%' and nextval('looks') = 1 then perform pg_terminate_backend(pg_backend_pid()); end if;
         return null; end $$`,
    );
    // Who adds a job does so by a function: only the look itself begins so.
    await sql('create trigger cut_first before insert on graphile_worker._private_tasks execute function cut_first()');
    const worker = createWorker();
    start(worker.work);
    await enqueue('first');
    await worker.has('first');
    expect(worker.done).toEqual(['first']);
  });

  test('cut under who listens, whose connection is then given back twice: it is back once', async () => {
    const { raw } = database.enginePool;
    const pool = forgiving(raw);
    await new Promise<void>((resolve, reject) => {
      pool.connect((error, _client, release) => {
        if (error !== undefined) return reject(error);
        release();
        release();
        resolve();
      });
    });
    const again = await pool.connect();
    expect(raw.idleCount).toBe(raw.totalCount - 1);
    again.release();
    expect(() => again.release()).toThrow('already been released');
  });

  test('not to be reached for a while: the runner gives up and is started again', async () => {
    const worker = createWorker();
    start(worker.work);
    await enqueue('before');
    await worker.has('before');
    const name = new URL(place.superuserUrl).pathname.slice(1);
    const elsewhere = place.superuserUrl.replace(/[^/]*$/, 'postgres');
    await query(elsewhere, `alter database ${name} with allow_connections false`);
    await query(elsewhere, `select pg_terminate_backend(pid) from pg_stat_activity where datname = $1`, [name]);
    await expect(enqueue('while')).rejects.toBeInstanceOf(Error);
    await systemClock.sleep(3_000);
    await query(elsewhere, `alter database ${name} with allow_connections true`);
    await enqueue('after');
    await worker.has('after');
    expect(worker.done).toEqual(['before', 'after']);
  });
});

/* The queue's tables belong to graphile-worker: a version of it whose jobs say more, or something else, is to be noticed here. */
test('what is enqueued is what add_jobs of graphile-worker would have written and told, also of a task that nobody has run', async () => {
  const listener = new pg.Client({ connectionString: place.superuserUrl });
  await listener.connect();
  let told = 0;
  listener.on('notification', ({ payload = '' }) => (told += (JSON.parse(payload) as { count: number }).count));
  await listener.query('listen "jobs:insert"');
  try {
    const payload = JSON.stringify({ tenantId, subject: { id: 'p1' } });
    const both = async (tasks: string[]) => {
      const payloads = tasks.map(() => payload);
      await sql(
        `select count(*) from graphile_worker.add_jobs(array(select row(task, $2::json, null, null, null, null, null, null)::graphile_worker.job_spec
           from unnest($1::text[]) as task))`,
        [tasks, payload],
      );
      await query(place.engineUrl, 'select skep.enqueue_jobs($1, $2::json[])', [tasks, payloads]);
      const rows = await sql<{ job: object }>(
        `select to_jsonb(j) - '{id,task_id,run_at,created_at,updated_at}'::text[] || jsonb_build_object('task', t.identifier, 'now', run_at = created_at) as job
           from graphile_worker._private_jobs j join graphile_worker._private_tasks t on t.id = j.task_id order by j.id`,
      );
      await sql('delete from graphile_worker._private_jobs');
      return rows.map(({ job }) => job);
    };
    const known = await both(['a', 'b']);
    expect(known).toHaveLength(4);
    expect(known.slice(2)).toEqual(known.slice(0, 2));
    // The first of them had made its row.
    await sql(`delete from graphile_worker._private_tasks where identifier = 'b'`);
    await query(place.engineUrl, 'select skep.enqueue_jobs($1, $2::json[])', [
      ['b', 'a', 'b'],
      [payload, payload, payload],
    ]);
    const mixed = await sql<{ task: string }>(
      `select t.identifier as task from graphile_worker._private_jobs j join graphile_worker._private_tasks t on t.id = j.task_id order by 1`,
    );
    expect(mixed.map(({ task }) => task)).toEqual(['a', 'b', 'b']);
    await listener.query('select 1');
    expect(told).toBe(2 + 2 + 3);
  } finally {
    await listener.end();
  }
});

/* Counted in pages, which no other load changes: read one by one, the jobs that wait would be some 80 of them. */
test('a job is added at the same cost however many wait, whatever was known when that was planned', async () => {
  const engine = new pg.Client({ connectionString: place.engineUrl, options: '-c search_path=skep' });
  await engine.connect();
  try {
    const add = async () => {
      const { rows } = await engine.query<{ 'QUERY PLAN': [{ Plan: { 'Shared Hit Blocks': number } }] }>(
        `explain (analyze, buffers, format json) select enqueue_jobs('{work}', array['{"tenantId":"${tenantId}"}']::json[])`,
      );
      return rows[0]?.['QUERY PLAN'][0].Plan['Shared Hit Blocks'] ?? Number.NaN;
    };
    for (let i = 0; i < 3; i++) await add();
    const few = await add();
    await sql(
      `select count(*) from graphile_worker.add_jobs(array(
         select row('work', '{}', null, null, null, null, null, null)::graphile_worker.job_spec from generate_series(1, 5000)))`,
    );
    await add();
    expect((await add()) - few).toBeLessThan(30);
  } finally {
    await engine.end();
  }
});
