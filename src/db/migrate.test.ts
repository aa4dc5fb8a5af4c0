import { readdirSync, readFileSync } from 'node:fs';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, inject, test } from 'vitest';
import { query } from '../../test/harness/database.ts';
import { createGate } from '../../test/harness/gate.ts';
import { schemaText } from '../../tidy/generate/schema.ts';
import { silentLog } from '../kernel/log.ts';
import { migrate } from './migrate.ts';

const { superuserUrl, ownerUrl: templateUrl, names, version } = inject('postgres');
const files = readdirSync(new URL('migrations/', import.meta.url))
  .filter(file => file.endsWith('.sql'))
  .sort();
const schema = readFileSync(new URL('schema.sql', import.meta.url), 'utf8');

let count = 0;
let name: string;
let ownerUrl: string;
let superUrl: string;
beforeEach(async () => {
  name = `migrated_${process.pid}_${++count}`;
  await query(superuserUrl, `create database ${name} owner ${pg.escapeIdentifier(names.owner)}`);
  ownerUrl = inDatabase(templateUrl);
  superUrl = inDatabase(superuserUrl);
});
afterEach(() => query(superuserUrl, `drop database ${name} with (force)`));

function inDatabase(url: string): string {
  const changed = new URL(url);
  changed.pathname = `/${name}`;
  return changed.href;
}

const run = () => migrate(ownerUrl, names, silentLog);
const applied = async () =>
  (await query<{ name: string }>(superUrl, 'select name from skep.migrations order by name')).map(row => row.name);
const terminate = (where: string) =>
  query(
    superuserUrl,
    `select pg_terminate_backend(pid) from pg_stat_activity where datname = $1 and pid <> pg_backend_pid() and ${where}`,
    [name],
  );

describe(`an empty database on ${version}`, () => {
  test('on a disk that is full says so, and is brought to the present schema once there is space', async () => {
    await query(
      superUrl,
      `create function public.fill_up() returns event_trigger language plpgsql as $$
         begin raise exception 'could not extend file' using errcode = 'disk_full'; end $$;
       create event trigger full_disk on ddl_command_start when tag in ('CREATE TABLE') execute function public.fill_up()`,
    );
    await expect(run()).rejects.toMatchObject({ code: 'disk_full' });
    await query(superUrl, 'drop event trigger full_disk; drop function public.fill_up');
    expect(await run()).toBe(files.length);
  });

  test('is brought to the present schema, and a second time changes nothing', async () => {
    expect(await run()).toBe(files.length);
    expect(await applied()).toEqual(files);
    expect(await schemaText(ownerUrl, names)).toBe(schema);
    expect(await run()).toBe(0);
    expect(await schemaText(ownerUrl, names)).toBe(schema);
  });

  test('three servers at once: one does it, all go on', async () => {
    const done = await Promise.all([run(), run(), run()]);
    expect(done.toSorted((x, y) => x - y)).toEqual([0, 0, files.length]);
    expect(await schemaText(ownerUrl, names)).toBe(schema);
  });

  test('the queue is ready for the engine, and for nobody else', async () => {
    await run();
    const rights = await query<{ who: string; may: boolean }>(
      superUrl,
      `select r as who, has_schema_privilege(r, 'graphile_worker', 'usage') as may from unnest($1::text[]) r order by 1`,
      [[names.app, names.engine]],
    );
    expect(rights).toEqual([
      { who: names.app, may: false },
      { who: names.engine, may: true },
    ]);
    const closed = await query(
      superUrl,
      `select c.relname from pg_class c where relnamespace = 'graphile_worker'::regnamespace and relkind in ('r', 'p') and relrowsecurity
          and not exists (select from pg_policy where polrelid = c.oid and polname = 'skep_engine')`,
    );
    expect(closed).toEqual([]);
  });
});

describe('a history that is not ours', () => {
  test.each([
    [
      'a file that was changed after it was applied',
      `update skep.migrations set sha256 = 'x' where name = '${files[2]}'`,
      'differs',
    ],
    [
      'a migration of a newer version',
      `insert into skep.migrations (name, sha256) values ('9999_later.sql', 'x')`,
      'does not know',
    ],
  ])('%s is refused, and nothing is done', async (_, change, says) => {
    await run();
    await query(superUrl, change);
    await query(superUrl, `delete from skep.migrations where name = $1`, [files.at(-1)]);
    await expect(run()).rejects.toMatchObject({ code: 'database_unusable', message: expect.stringContaining(says) as string });
    expect(await applied()).not.toContain(files.at(-1));
  });
});

describe('a migration that does not come to its end', () => {
  test('for a reason of its own leaves nothing of itself, keeps those before it, and can be tried again', async () => {
    // The table that the third file makes is there already.
    await query(ownerUrl, 'create schema skep; create table skep.projects ()');
    await expect(run()).rejects.toMatchObject({
      code: 'database_unusable',
      message: expect.stringMatching(`Migration ${files[2]} failed: .*already exists`) as string,
    });
    expect(await applied()).toEqual(files.slice(0, 2));
    expect(await query(superUrl, `select from pg_class where relname = 'sessions'`)).toEqual([]);
    await query(ownerUrl, 'drop table skep.projects');
    expect(await run()).toBe(files.length - 2);
    expect(await schemaText(ownerUrl, names)).toBe(schema);
  });

  test.each(['runs', 'tickets', 'tenants'])('killed while it makes %s, and started again', async table => {
    // It waits for us in the middle of the file: we make the same name and hold it open.
    const holder = new pg.Client({ connectionString: ownerUrl });
    await holder.connect();
    await holder.query('create schema if not exists skep');
    await holder.query(`begin; create table skep.${table} ()`);
    const first = run().catch((error: unknown) => error);
    await untilWaiting();
    const second = run();
    // Until it has met one: what waited a moment ago waited perhaps for something else, and for us only now.
    while ((await terminate(`wait_event_type = 'Lock' and wait_event <> 'advisory'`)).length === 0);
    expect(await first).toBeInstanceOf(Error);
    await holder.query('rollback');
    await holder.end();
    await second;
    expect(await applied()).toEqual(files);
    expect(await schemaText(ownerUrl, names)).toBe(schema);
  });

  test('connections cut ten times at any moment, then once in peace', async () => {
    for (let round = 0; round < 10; round++) {
      const under = run().then(
        () => 'done',
        () => 'cut',
      );
      const cut = createGate();
      void under.then(cut.open);
      // Each round a little later: the moment is a number of our own round trips and not of milliseconds.
      for (let i = 0; i < round * 2; i++) await query(superuserUrl, 'select 1');
      await terminate('true');
      await cut.passed;
    }
    await run();
    expect(await applied()).toEqual(files);
    expect(await schemaText(ownerUrl, names)).toBe(schema);
  });

  async function untilWaiting(): Promise<void> {
    const waits = () =>
      query(
        superuserUrl,
        `select from pg_stat_activity where datname = $1 and wait_event_type = 'Lock' and wait_event <> 'advisory'`,
        [name],
      );
    while ((await waits()).length === 0);
  }
});
