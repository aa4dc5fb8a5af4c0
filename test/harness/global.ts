import type { TestProject } from 'vitest/node';
import { migrate, type RoleNames } from '../../src/db/migrate.ts';
import { ensureRoles, provisionEmbedded } from '../../src/db/roles.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { removeLeft } from './left.ts';
import { debianPostgres, embeddedForTests, type TestServer } from './postgres.ts';

/** What a test needs to make itself a migrated database: a clone of the template. */
export interface TestPostgres {
  readonly version: number;
  readonly superuserUrl: string;
  readonly ownerUrl: string;
  readonly appUrl: string;
  readonly engineUrl: string;
  readonly names: RoleNames;
}

declare module 'vitest' {
  interface ProvidedContext {
    postgres: TestPostgres;
  }
}

let server: TestServer | undefined;

/** One server a run, with a migrated template, once what killed runs have left is gone. SKEP_TEST_POSTGRES=15: Debian's PostgreSQL instead of the embedded one. */
export async function setup(project: TestProject): Promise<void> {
  await removeLeft();
  server = await startServer();
  const ownerUrl = await provisionEmbedded(server);
  const roles = await ensureRoles(ownerUrl);
  await migrate(ownerUrl, roles.names, silentLog);
  project.provide('postgres', { version: server.version, superuserUrl: server.superuserUrl, ...roles });
}

export async function teardown(): Promise<void> {
  await server?.stop();
  // Of files that were killed in this one.
  await removeLeft();
}

async function startServer(): Promise<TestServer> {
  if (process.env['SKEP_TEST_POSTGRES'] !== '15') return embeddedForTests();
  const server = await debianPostgres();
  if (server === undefined) throw new Error('SKEP_TEST_POSTGRES=15 needs the Debian package postgresql-15');
  return server;
}
