import { expect } from 'vitest';
import { systemClock } from '../../../src/kernel/clock.ts';
import { query } from '../../harness/database.ts';
import type { MortalServer } from '../../harness/postgres.ts';
import { until } from '../../harness/process.ts';
import { dice, seed } from '../dice.ts';
import type { Load } from '../load.ts';
import { patienceMs } from '../world.ts';
import { underLoad } from './disturb.ts';

/** SIGKILL, or SIGQUIT: an immediate stop. It is away for up to a second. */
export async function killPostgres(
  load: Load,
  postgres: MortalServer,
  { signal, times }: { signal: 'SIGKILL' | 'SIGQUIT'; times: number },
): Promise<void> {
  const roll = dice(seed);
  const how = signal === 'SIGKILL' ? 'killed' : 'stopped at once';
  await underLoad(load, {
    ...{ what: `PostgreSQL ${postgres.version} is ${how} under load`, times, betweenMs: 1_000 },
    async act() {
      await postgres.kill(signal);
      await systemClock.sleep(roll(1_000));
      await postgres.start();
    },
  });
}

export async function endConnections(load: Load, times: number): Promise<void> {
  const text = `select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'`;
  const someEnd = async (): Promise<true | undefined> => ((await query(load.database, text)).length > 0 ? true : undefined);
  await underLoad(load, {
    ...{ what: 'all connections to the database are ended', times, betweenMs: 700 },
    act: async () => void (await until('there are connections to end', someEnd, patienceMs)),
  });
}

export async function resetLine(load: Load, times: number): Promise<void> {
  await underLoad(load, {
    ...{ what: 'the line to the database is reset', times, betweenMs: 700 },
    async act() {
      await someConnections(load);
      load.line.reset();
    },
  });
}

async function someConnections({ line }: Load): Promise<void> {
  await until('there are connections', () => (line.open() > 0 ? true : undefined), patienceMs);
}

/** After which a statement of the engine that is not answered counts as lost (src/db/database.ts). */
const statementMsMax = 15_000;

/** What was on its way is gone, and nobody is told; then the line is good again, for those who call anew. */
export async function holeInLine(load: Load, times: number): Promise<void> {
  await underLoad(load, {
    ...{ what: 'the line to the database is half-open for 3 s', times, betweenMs: 2_000, noticedMs: statementMsMax },
    async act() {
      await someConnections(load);
      const before = load.line.swallowed();
      load.line.set({ hole: true });
      await systemClock.sleep(3_000);
      expect(load.line.swallowed()).toBeGreaterThan(before);
      load.line.set({});
    },
  });
}

export async function slowLine(load: Load, times: number): Promise<void> {
  await underLoad(load, {
    ...{ what: 'the line to the database is slow for 3 s', times, betweenMs: 1_000 },
    async act(index) {
      load.line.set(index % 2 === 0 ? { latencyMs: 100 } : { bytesPerS: 65_536 });
      await systemClock.sleep(3_000);
      load.line.set({});
    },
  });
}

/** The work of a transaction is done and whoever did it is not told, one time in eight. */
export async function loseAnswers(load: Load, of: 'commit' | 'any', times: number): Promise<void> {
  const words = of === 'commit' ? 'a transaction is done' : 'a statement or a transaction is done';
  load.line.loseAnswers({ of, every: of === 'commit' ? 8 : 40, countMax: times });
  await underLoad(load, {
    ...{ what: `${words} and the answer is lost`, times, betweenMs: 0 },
    act: index => until('an answer is lost', () => (load.line.lost() > index ? true : undefined), patienceMs).then(() => {}),
  });
  expect(load.line.lost()).toBe(times);
}
