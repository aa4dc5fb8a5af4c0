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
  close(): Promise<void>;
}

let count = 0;

/** A migrated database of this test's own, cloned from the template (some 50 ms), and dropped when it is closed. */
export async function testDatabase(): Promise<TestDatabase> {
  const postgres = inject('postgres');
  const name = `test_${process.pid}_${++count}`;
  await asSuperuser(
    postgres.superuserUrl,
    `create database ${name} template skep owner ${pg.escapeIdentifier(postgres.names.owner)}`,
  );
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
    async close() {
      await database.close();
      await asSuperuser(postgres.superuserUrl, `drop database ${name} with (force)`);
    },
  };
}

/** Raw SQL as whoever the URL names. */
export async function query<Row extends object>(url: string, text: string, values: readonly unknown[] = []): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url, options: '-c search_path=skep' });
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
