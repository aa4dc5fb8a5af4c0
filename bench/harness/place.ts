import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { resolveDatabase } from '../../src/db/connect.ts';
import { type Database, openDatabase, type Routes } from '../../src/db/database.ts';
import { startEmbedded, stopEmbedded } from '../../src/db/embedded/index.ts';
import { migrate } from '../../src/db/migrate.ts';
import { openPool, type Pool } from '../../src/db/pool.ts';
import { ensureRoles, provisionEmbedded, type Roles } from '../../src/db/roles.ts';
import { flow } from '../../src/flow.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { bootstrapAccess } from '../../src/support/access/index.ts';
import { createProject } from '../../src/support/projects/index.ts';
import { removeTree } from '../../test/harness/disks.ts';
import { debianPostgres } from '../../test/harness/postgres.ts';
import type { Stage } from './bench.ts';

export interface Place {
  /** Of the embedded server; a server of Skep can be started on it. Empty for another PostgreSQL. */
  readonly home: string;
  readonly adminToken: string;
  readonly database: Database;
  /** Another database object on the same tables, whose events start these jobs. Nobody works on them. */
  open(routes: Routes): Database;
  readonly tenantId: string;
  readonly projectId: string;
  /** Of the server's own database, not Skep's. */
  readonly superuserUrl: string;
  readonly engineUrl: string;
  /** Past every wall, to fill tables. */
  readonly superuser: Pool;
  /** The engine role's, with as many connections as there are claimers; the product's own has 12. */
  readonly enginePool: Pool;
}

const debianIsThere = existsSync('/usr/lib/postgresql/15/bin/postgres');

/** A home of its own below the system's folder for temporary files; removed at the end with the database in it. */
export function temporaryHome(stage: Stage): string {
  const home = mkdtempSync(join(tmpdir(), 'skep-bench-'));
  stage.atEnd(async () => {
    await stopEmbedded(home);
    removeTree(home);
  });
  return home;
}

/** The embedded server, or Debian's PostgreSQL 15, the oldest that Skep supports. */
export type Server = 'embedded' | 'debian';

/** Those that this machine has; of a figure its name says on which. */
export const servers: readonly { readonly server: Server; readonly on: string }[] = [
  { server: 'embedded', on: '' },
  ...(debianIsThere ? [{ server: 'debian' as const, on: ', Debian 15' }] : []),
];

/** A migrated database with a tenant and a project, and no server of Skep on it. */
export async function openPlace(stage: Stage, server: Server = 'embedded'): Promise<Place> {
  const { home, superuserUrl, ownerUrl, appUrl, engineUrl, names } = await started(stage, server);
  await migrate(ownerUrl, names, silentLog);
  const open = (routes: Routes) => {
    const opened = openDatabase({ appUrl, engineUrl, routes, clock: systemClock, log: silentLog });
    stage.atEnd(() => opened.close());
    return opened;
  };
  const database = open(flow);
  const superuser = openPool(inSkep(superuserUrl), silentLog, 2);
  const enginePool = openPool(engineUrl, silentLog, 16);
  stage.atEnd(async () => {
    await Promise.all([superuser.close(), enginePool.close()]);
  });
  const { tenantId, adminToken = '' } = await bootstrapAccess(database);
  const agent = { kind: 'exec' as const, command: ['true'] };
  const project = await database.request({ tenantId, actor: 'bench' }, tx => createProject(tx, { name: 'bench', agent }));
  const ids = { tenantId, projectId: project.id };
  return { home, adminToken, database, open, ...ids, superuserUrl, engineUrl, superuser, enginePool };
}

async function started(stage: Stage, server: Server): Promise<Roles & { home: string; superuserUrl: string }> {
  if (server === 'debian') {
    const debian = await debianPostgres();
    if (debian === undefined) throw new Error('needs the Debian package postgresql-15');
    stage.atEnd(() => debian.stop());
    stage.measuredOn(String(debian.version));
    return { ...(await ensureRoles(await provisionEmbedded(debian))), home: '', superuserUrl: debian.superuserUrl };
  }
  const home = temporaryHome(stage);
  const options = { home, clock: systemClock, log: silentLog };
  const { superuserUrl } = await startEmbedded(options);
  const { version, ...roles } = await resolveDatabase(options);
  stage.measuredOn(version);
  return { ...roles, home, superuserUrl };
}

function inSkep(url: string): string {
  const changed = new URL(url);
  changed.pathname = '/skep';
  return changed.href;
}
