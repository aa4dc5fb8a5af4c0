import { randomUUID } from 'node:crypto';
import type { Clock } from '../../kernel/clock.ts';
import type { Log } from '../../kernel/log.ts';
import { createLoop, type Lifecycle } from '../../kernel/loop.ts';
import type { Database } from '../database.ts';
import { graphile } from './graphile.ts';
import type { InHand, TakeJobs, Task } from './graphile.ts';
import { beatServer, buryServers, freeForeignLocks, freeUnheardLocks, leaveServers } from './jobs.sql.ts';

interface ServerFacts {
  /** Host and process, such as build-7:4711. */
  readonly name: string;
  readonly version: string;
  /** Where it listens; empty until it does. */
  readonly url: string;
  /** `draining`: it takes nothing new and is about to leave. */
  readonly state: 'active' | 'draining';
}

interface JobsOptions {
  readonly database: Database;
  readonly tasks: Readonly<Record<string, Task>>;
  /** What people are told of this server; asked with each beat. */
  readonly server: () => ServerFacts;
  /** graphile-worker, unless something stands for it. */
  readonly take?: TakeJobs;
  readonly clock: Clock;
  readonly log: Log;
}

const beatMs = 1_000;
/** After this silence a server counts as dead and its jobs are free again. */
const silentMs = 5_000;

/**
 * Background jobs of this server: graphile-worker, with a heartbeat row so that other servers can free the jobs of a dead one
 * (its own locks last four hours), and started again when it gives up because the database was away.
 */
export function createJobs(options: JobsOptions): Lifecycle {
  const stopping = new AbortController();
  const { database, server, clock, log, take = graphile(options, stopping.signal) } = options;
  const serverId = randomUUID();
  const inHand: InHand = { slots: new Set(), jobs: new Set() };
  const { slots, jobs } = inHand;
  let runner: Awaited<ReturnType<TakeJobs>> | undefined;

  async function startRunner(): Promise<void> {
    runner = await take(inHand);
    runner.promise.then(
      () => (runner = undefined),
      () => (runner = undefined),
    );
  }

  async function beat(): Promise<void> {
    const { name, version, url, state } = server();
    await database.enginePool.query(beatServer, [serverId, [...slots], name, version, url, state]);
  }

  const heart = createLoop({
    name: 'server heartbeat',
    clock,
    log,
    idleMs: beatMs,
    async turn() {
      // The beat first: a server that cannot start its slots is alive all the same.
      await beat();
      if (runner === undefined) {
        await startRunner();
        // Before one of the new slots can be taken for a dead server's.
        await beat();
      }
      const dead = await database.enginePool.query(buryServers, [silentMs]);
      const freed = await database.enginePool.query(freeForeignLocks, [silentMs, [...slots]]);
      if (dead.length + freed.length > 0)
        log.warn({ dead: dead.map(server => server.id), freed: freed.length }, 'freed the jobs of a dead server');
      const unheard = await database.enginePool.query(freeUnheardLocks, [silentMs, [...slots], [...jobs]]);
      if (unheard.length > 0)
        log.warn(
          { jobs: unheard.map(({ id }) => id) },
          'freed jobs that this server took and never heard of: the answer was lost',
        );
      return false;
    },
  });

  return {
    start: heart.start,
    async stop() {
      await heart.stop();
      stopping.abort();
      // One that is giving up by itself, since the database is away, refuses to be stopped.
      await runner?.stop().catch((error: unknown) => log.debug({ error: String(error) }, 'the job slots had stopped already'));
      await database.enginePool
        .query(leaveServers, [serverId])
        .catch((error: unknown) => log.warn({ error: String(error) }, 'left without a word'));
    },
  };
}
