import pg from 'pg';
import { inject } from 'vitest';
import { type Database, openDatabase } from '../../src/db/database.ts';
import { flow } from '../../src/flow.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';

export interface TestDatabase {
  readonly database: Database;
  readonly superuserUrl: string;
  readonly ownerUrl: string;
  readonly appUrl: string;
  readonly engineUrl: string;
  /** A tenant of this test's own. */
  makeTenant(name: string): Promise<string>;
  /** As it was when it was made: for the next test, at a small part of what another database costs. */
  empty(): Promise<void>;
  close(): Promise<void>;
}

let count = 0;

/**
 * A migrated database of this test's own, cloned from the template, and dropped when it is closed. `isHasty`: its commits wait for no
 * disk, which no server of the product would stand.
 */
export async function testDatabase({ isHasty = false }: { readonly isHasty?: boolean } = {}): Promise<TestDatabase> {
  const postgres = inject('postgres');
  const name = `test_${process.pid}_${++count}`;
  await asSuperuser(
    postgres.superuserUrl,
    `create database ${name} template skep owner ${pg.escapeIdentifier(postgres.names.owner)}`,
  );
  if (isHasty) await asSuperuser(postgres.superuserUrl, `alter database ${name} set synchronous_commit = off`);
  const urls = {
    superuserUrl: withDatabase(postgres.superuserUrl, name),
    ownerUrl: withDatabase(postgres.ownerUrl, name),
    appUrl: withDatabase(postgres.appUrl, name),
    engineUrl: withDatabase(postgres.engineUrl, name),
  };
  const database = openDatabase({ ...urls, routes: flow, clock: systemClock, log: silentLog });
  return {
    database,
    ...urls,
    async makeTenant(tenant) {
      const [row] = await query<{ id: string }>(urls.superuserUrl, 'insert into skep.tenants (name) values ($1) returning id', [
        tenant,
      ]);
      if (row === undefined) throw new Error('no tenant');
      return row.id;
    },
    async empty() {
      await query(urls.superuserUrl, emptied);
    },
    async close() {
      await database.close();
      await asSuperuser(postgres.superuserUrl, `drop database ${name} with (force)`);
    },
  };
}

/** Every row but those that migrations made, past foreign keys and triggers; numbers begin anew. */
const emptied = `
  do $$
  declare
    each regclass;
  begin
    set local session_replication_role = replica;
    for each in select oid from pg_class where relnamespace = 'skep'::regnamespace and relkind = 'r'
                   and relname not in ('migrations', 'event_sequencer')
    loop
      execute format('delete from %s', each);
    end loop;
    delete from graphile_worker._private_jobs;
    update event_sequencer set last_position = 0;
    for each in select oid from pg_class where relnamespace = 'skep'::regnamespace and relkind = 'S'
    loop
      perform setval(each, 1, false);
    end loop;
  end $$`;

/** As the product's own sessions: without `jit=off` Debian's 15 compiles the long looks of the harness, 0.6 s each. */
export const sessionOptions = '-c search_path=skep -c jit=off';

/** Raw SQL as whoever the URL names. */
export async function query<Row extends object>(url: string, text: string, values: readonly unknown[] = []): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url, options: sessionOptions });
  client.on('error', () => {});
  await client.connect();
  try {
    return (await client.query<Row>(text, [...values])).rows;
  } finally {
    await client.end();
  }
}

async function asSuperuser(url: string, text: string): Promise<void> {
  await query(url, text);
}

export function withDatabase(url: string, name: string): string {
  const changed = new URL(url);
  changed.pathname = `/${name}`;
  return changed.href;
}
