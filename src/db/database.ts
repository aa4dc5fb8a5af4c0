import type { EventType } from '../../contract/events.ts';
import type { Clock } from '../kernel/clock.ts';
import { failpoint } from '../kernel/failpoint.ts';
import { isFault } from '../kernel/fault.ts';
import type { Log } from '../kernel/log.ts';
import { appendEvents } from './events.sql.ts';
import { type Connection, openPool, type Pool, runStatement, type SqlValue } from './pool.ts';
import { asFault, isRetryable } from './refusal.ts';
import type { Statement } from './statement.ts';

/** Something that happened, told in the transaction that made it happen. No secrets: events are shown and sent out. */
export interface Announcement {
  readonly type: EventType;
  readonly subject: { readonly type: string; readonly id: string };
  readonly payload?: Readonly<Record<string, unknown>>;
}

/** On whose behalf a transaction acts. */
export interface Scope {
  readonly tenantId: string;
  /** Who, for the event: `token:<id>`, `worker:<name>`, `flow`. */
  readonly actor: string;
}

/** One transaction. What it announces is written, with the jobs that the flow derives from it, just before it commits. */
export interface Tx extends Scope {
  query<Row>(statement: Statement<Row>, values?: readonly SqlValue[]): Promise<Row[]>;
  announce(event: Announcement): void;
}

/** A job as the flow derives it from an event. */
export interface FlowJob extends Announcement {
  readonly tenantId: string;
}

/** Event type → names of the tasks that it starts (src/flow.ts). */
export type Routes = Readonly<Partial<Record<EventType, readonly string[]>>>;

export interface Database {
  /** A transaction of the app role: behind the wall of one tenant. */
  request<T>(scope: Scope, body: (tx: Tx) => Promise<T>): Promise<T>;
  /** A transaction of the engine role: not behind the wall, for the claims, sweeps and jobs of named modules. */
  engine<T>(scope: Scope, body: (tx: Tx) => Promise<T>): Promise<T>;
  /**
   * One statement of the engine role, one round trip. Its events must start no job, which a test compares with the flow, or it writes the
   * jobs itself (tasksOf).
   */
  readonly enginePool: Pool;
  /** The tasks that an event of this type starts, for a statement that writes its events and jobs by itself. */
  tasksOf(type: EventType): readonly string[];
  /** Calls back after each commit that wrote an event on this server. */
  onCommit(callback: () => void): void;
  committed(): void;
  close(): Promise<void>;
}

interface DatabaseOptions {
  readonly appUrl: string;
  readonly engineUrl: string;
  readonly routes: Routes;
  readonly clock: Clock;
  readonly log: Log;
  /** Connections of each role; two cores keep about as many busy, and 100 is the embedded server's limit for all servers together. */
  readonly connectionCountMax?: number;
}

/**
 * The engine's statements are short: claims, heartbeats, what is handed in, sweeps, jobs. One that is not answered for so long is said to be
 * lost, so that a line that is half-open holds up neither these nor, by what they have locked, anybody else for longer than a lease.
 */
const engineSilenceMsMax = 15_000;
/** Of the other role: lists for people may take longer, and what they lock they hold no longer. */
const answerMsMax = 60_000;

/** A transaction that lost a race is run again this often before the error is passed on. */
const attemptsMax = 5;

export function openDatabase({ appUrl, engineUrl, log, connectionCountMax = 12, ...rest }: DatabaseOptions): Database {
  const short = { connectionCountMax, answerMsMax: engineSilenceMsMax, silenceMsMax: engineSilenceMsMax };
  const appPool = openPool(appUrl, log, { ...short, answerMsMax });
  const enginePool = openPool(engineUrl, log, short);
  return createDatabase({ appPool, enginePool, ...rest });
}

interface DatabaseParts extends Pick<DatabaseOptions, 'routes' | 'clock'> {
  readonly appPool: Pool;
  readonly enginePool: Pool;
}

/** Transactions over pools that are open: what a transaction is does not depend on where its connection comes from. */
export function createDatabase({ appPool, enginePool, routes, clock }: DatabaseParts): Database {
  const listeners: (() => void)[] = [];
  const committed = () => {
    for (const listener of listeners) listener();
  };

  async function transact<T>(pool: Pool, scope: Scope, body: (tx: Tx) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await attemptOnce(pool, scope, body);
      } catch (error) {
        if (attempt >= attemptsMax || !isRetryable(error)) throw error;
        await clock.sleep(attempt * 5);
      }
    }
  }

  async function attemptOnce<T>(pool: Pool, scope: Scope, body: (tx: Tx) => Promise<T>): Promise<T> {
    const client = await pool.connect();
    const announced: Announcement[] = [];
    let broken: unknown;
    try {
      await client.query(`begin; set local app.tenant = '${checkedUuid(scope.tenantId)}'`);
      const result = await body({
        ...scope,
        query: (statement, values) => runStatement(client, statement, values),
        announce: event => announced.push(event),
      });
      if (announced.length > 0) await writeEvents(client, scope, announced);
      if (announced.length > 0) failpoint('event-written');
      await client.query('commit');
      if (announced.length > 0) failpoint('event-committed');
      if (announced.length > 0) committed();
      return result;
    } catch (error) {
      const fault = asFault(error);
      // Who does not answer is not asked to undo what it undoes anyway once it is cut off: that would be waited for again.
      if (isFault(fault, 'database_unavailable')) broken = fault;
      // A client whose rollback fails is not given back to the pool.
      else
        await client.query('rollback').catch((failure: unknown) => {
          broken = failure;
        });
      throw fault;
    } finally {
      client.release(broken instanceof Error ? broken : undefined);
    }
  }

  async function writeEvents(client: Connection, scope: Scope, announced: readonly Announcement[]): Promise<void> {
    const jobs = announced.flatMap(event =>
      (routes[event.type] ?? []).map(task => ({ task, payload: { ...event, tenantId: scope.tenantId } satisfies FlowJob })),
    );
    await runStatement(client, appendEvents, [
      ...[scope.tenantId, scope.actor, JSON.stringify(announced)],
      jobs.map(({ task }) => task),
      jobs.map(({ payload }) => JSON.stringify(payload)),
    ]);
  }

  return {
    request: (scope, body) => transact(appPool, scope, body),
    engine: (scope, body) => transact(enginePool, scope, body),
    enginePool,
    tasksOf: type => routes[type] ?? [],
    onCommit: callback => void listeners.push(callback),
    committed,
    async close() {
      await Promise.all([appPool.close(), enginePool.close()]);
    },
  };
}

/** `set local` takes no parameter, so the value is checked here instead. */
function checkedUuid(value: string): string {
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(value)) throw new Error('a tenant id must be a UUID');
  return value;
}
