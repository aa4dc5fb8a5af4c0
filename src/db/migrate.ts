import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { runMigrations } from 'graphile-worker';
import pg from 'pg';
import { failpoint } from '../kernel/failpoint.ts';
import { Fault } from '../kernel/fault.ts';
import type { Log } from '../kernel/log.ts';
import { asFault } from './refusal.ts';

export interface RoleNames {
  readonly owner: string;
  readonly app: string;
  readonly engine: string;
}

interface Migration {
  readonly name: string;
  readonly sha256: string;
  readonly text: string;
}

/** Any number: one migrator at a time in one database. */
const advisoryLock = 7_331_001;

const folder = new URL('./migrations/', import.meta.url);

/**
 * Brings the schema to this version: numbered files, forward only, each in a transaction with its row. Safe to run from several
 * servers at once and to kill anywhere. Refuses a database that is newer than this code or whose history differs. Throws Fault `disk_full` too.
 */
export async function migrate(ownerUrl: string, roles: RoleNames, log: Log): Promise<number> {
  const client = new pg.Client({ connectionString: ownerUrl, application_name: 'skep migrate', options: '-c search_path=skep' });
  client.on('error', () => {});
  await client.connect();
  try {
    await waitForTurn(client);
    await client.query(`create schema if not exists skep; create table if not exists skep.migrations
      (name text primary key, sha256 text not null, applied_at timestamptz not null default now())`);
    const applied = await appliedMigrations(client);
    const known = await readMigrations();
    refuseForeignHistory(applied, known);
    const missing = known.filter(migration => !applied.has(migration.name));
    if (missing.length > 0 || !(await jobsAreReady(client))) await installJobs(ownerUrl, client, roles);
    for (const migration of missing) await apply(client, migration, roles);
    if (missing.length > 0)
      log.info({ migrations: missing.map(migration => migration.name) }, 'the schema was brought up to date');
    return missing.length;
  } catch (error) {
    throw asFault(error);
  } finally {
    await client.end();
  }
}

/** Another server may be migrating: that takes a moment, and no longer. */
async function waitForTurn(client: pg.Client): Promise<void> {
  try {
    await client.query(`set lock_timeout = '60s'`);
    await client.query('select pg_advisory_lock($1)', [advisoryLock]);
    await client.query('set lock_timeout = 0');
  } catch (error) {
    throw new Fault('database_unavailable', {
      message: 'Another server has been migrating this database for a minute',
      hint: 'Look at that server; when it has ended, start this one again',
      cause: error,
    });
  }
}

async function apply(client: pg.Client, { name, sha256, text }: Migration, roles: RoleNames): Promise<void> {
  try {
    await client.query('begin');
    // The row first: a second migrator that got past the lock stops here instead of in the middle of the file.
    await client.query('insert into skep.migrations (name, sha256) values ($1, $2)', [name, sha256]);
    await client.query(named(text, roles));
    failpoint('migration-applied');
    await client.query('commit');
  } catch (error) {
    await client.query('rollback').catch(() => {});
    throw new Fault('database_unusable', {
      message: `Migration ${name} failed: ${error instanceof Error ? error.message : String(error)}`,
      hint: 'Nothing of it was kept; the migrations before it were',
      cause: error,
    });
  }
}

/** Role names are settings of the installation: the files say {app} and {engine}. */
function named(text: string, roles: RoleNames): string {
  return text
    .replaceAll('{app_literal}', pg.escapeLiteral(roles.app))
    .replaceAll('{app}', pg.escapeIdentifier(roles.app))
    .replaceAll('{engine}', pg.escapeIdentifier(roles.engine));
}

async function appliedMigrations(client: pg.Client): Promise<Map<string, string>> {
  const { rows } = await client.query<{ name: string; sha256: string }>('select name, sha256 from skep.migrations order by name');
  return new Map(rows.map(row => [row.name, row.sha256]));
}

async function readMigrations(): Promise<Migration[]> {
  const names = (await readdir(folder)).filter(name => name.endsWith('.sql')).sort();
  return Promise.all(
    names.map(async name => {
      const text = await readFile(new URL(name, folder), 'utf8');
      return { name, text, sha256: createHash('sha256').update(text).digest('hex') };
    }),
  );
}

function refuseForeignHistory(applied: ReadonlyMap<string, string>, known: readonly Migration[]): void {
  const byName = new Map(known.map(migration => [migration.name, migration.sha256]));
  for (const [name, sha256] of applied) {
    const ours = byName.get(name);
    if (ours === sha256) continue;
    throw new Fault('database_unusable', {
      message:
        ours === undefined
          ? `The database has migration ${name}, which this version of Skep does not know`
          : `Migration ${name} differs from the one applied`,
      hint:
        ours === undefined
          ? 'Use the version of Skep that made it, or a newer one'
          : 'Use the released version of Skep that made this database',
    });
  }
}

/** The queue's own schema, and the engine's right to work on it: its tables have row-level security without a policy. */
async function installJobs(ownerUrl: string, client: pg.Client, roles: RoleNames): Promise<void> {
  await runMigrations({ connectionString: ownerUrl });
  failpoint('jobs-installed');
  const engine = pg.escapeIdentifier(roles.engine);
  const { rows } = await client.query<{ name: string; walled: boolean; open: boolean }>(
    `select c.oid::regclass::text as name, c.relrowsecurity as walled,
            exists (select from pg_policy where polrelid = c.oid and polname = 'skep_engine') as open
       from pg_class c where c.relnamespace = 'graphile_worker'::regnamespace and c.relkind in ('r', 'p')`,
  );
  await client.query(`grant usage on schema graphile_worker to ${engine};
    grant select, insert, update, delete on all tables in schema graphile_worker to ${engine};
    grant usage on all sequences in schema graphile_worker to ${engine};
    grant execute on all functions in schema graphile_worker to ${engine}`);
  for (const table of rows.filter(row => row.walled && !row.open)) {
    await client.query(`create policy skep_engine on ${table.name} to ${engine} using (true) with check (true)`);
  }
}

async function jobsAreReady(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query<{ ready: boolean }>(
    `select to_regclass('graphile_worker.migrations') is not null as ready`,
  );
  return rows[0]?.ready === true;
}
