/**
 * The database of this installation, ready to be migrated: a server named by DATABASE_URL, else the embedded one.
 *
 *   resolveDatabase({ databaseUrl?, home, clock, log, port? }): Promise<Database>
 */
import type { Clock } from '../kernel/clock.ts';
import type { Log } from '../kernel/log.ts';
import type { Lifecycle } from '../kernel/loop.ts';
import { createWatch, startEmbedded, stopEmbedded } from './embedded/index.ts';
import { asFault } from './refusal.ts';
import { ensureRoles, provisionEmbedded, type Roles } from './roles.ts';
import { inspectServer, refuseUnfit } from './server/fitness.ts';
import { withClient } from './server/session.ts';

export interface Database extends Roles {
  readonly kind: 'embedded' | 'server';
  /** Of the server, like `18.4`. */
  readonly version: string;
  /** While it is started, an embedded server that dies is started again, at the same port. A server of your own is yours to watch. */
  readonly watch: Lifecycle;
  /** Stops the embedded server, whoever started it; does nothing for a server of your own. */
  stop(): Promise<void>;
}

export interface DatabaseOptions {
  readonly databaseUrl?: string | undefined;
  /** SKEP_HOME, an absolute path. */
  readonly home: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Wanted port of the embedded server. */
  readonly port?: number | undefined;
}

/**
 * Connects, refuses what cannot carry Skep, and makes the roles. Throws Faults: `invalid_config` for a bad URL,
 * `database_unavailable` when it does not answer in 5 s, `database_unusable` with what to type, and those of `startEmbedded`.
 */
export async function resolveDatabase(options: DatabaseOptions): Promise<Database> {
  return options.databaseUrl === undefined ? embedded(options) : ownServer(options.databaseUrl);
}

async function embedded({ home, clock, log, port }: DatabaseOptions): Promise<Database> {
  const server = await startEmbedded({ home, clock, log, port });
  try {
    const ownerUrl = await provisionEmbedded(server);
    const [{ version }, roles] = await Promise.all([inspectServer(ownerUrl), ensureRoles(ownerUrl)]);
    return {
      kind: 'embedded',
      version,
      ...roles,
      watch: createWatch({ home, port: server.port, clock, log }),
      async stop() {
        await stopEmbedded(home, clock);
      },
    };
  } catch (error) {
    if (!server.adopted) await stopEmbedded(home, clock);
    throw asFault(error);
  }
}

/** Connections of one's own that were just closed are gone from the server's list after so long. */
const lingerMs = 1_000;

/** Whether anybody else is connected to this database: another server of Skep always is. False when it does not answer. */
export async function othersAreConnected(engineUrl: string, clock: Clock): Promise<boolean> {
  const count = `select count(*)::int as count from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'`;
  const until = clock.mono() + lingerMs;
  try {
    return await withClient(engineUrl, async client => {
      for (;;) {
        const { rows } = await client.query<{ count: number }>(count);
        if (rows[0]?.count === 0) return false;
        if (clock.mono() > until) return true;
        await clock.sleep(20);
      }
    });
  } catch {
    return false;
  }
}

async function ownServer(databaseUrl: string): Promise<Database> {
  const found = await inspectServer(databaseUrl);
  refuseUnfit(found);
  return { kind: 'server', version: found.version, ...(await ensureRoles(databaseUrl)), watch: noWatch, async stop() {} };
}

const noWatch: Lifecycle = { start() {}, async stop() {} };
