import { join } from 'node:path';
import { livePostmaster } from '../src/db/embedded/pid-file.ts';
import { systemClock } from '../src/kernel/clock.ts';
import { type Bench, figure, type Stage } from './harness/bench.ts';
import { temporaryHome } from './harness/place.ts';
import { build, memoryMb, startServer } from './harness/processes.ts';

const rounds = 5;
const settleMs = 10_000;

export const start: Bench = {
  name: 'start',
  about: 'From the start of `bin/skep server` to /ready, in an empty home and in one that has run, and the memory at rest.',
  async run(stage) {
    build();
    const cold: number[] = [];
    const warm: number[] = [];
    const server: number[] = [];
    const both: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const given = await startTwice(stage);
      cold.push(given.coldMs);
      warm.push(given.warmMs);
      server.push(given.serverMb);
      both.push(given.bothMb);
      stage.say(
        `round ${round + 1}: cold ${Math.round(given.coldMs)} ms, warm ${Math.round(given.warmMs)} ms, ${Math.round(given.bothMb)} MB`,
      );
    }
    return [
      figure('cold start to /ready', 'ms', { values: cold }),
      figure('warm start to /ready', 'ms', { values: warm, goal: { is: 'at most', value: 2_000 } }),
      figure('memory at rest, server', 'MB PSS', { values: server }),
      figure('memory at rest, server and PostgreSQL', 'MB PSS', { values: both, goal: { is: 'at most', value: 200 } }),
    ];
  },
};

/** Warm: the database of this home exists and does not run. */
async function startTwice(stage: Stage): Promise<{ coldMs: number; warmMs: number; serverMb: number; bothMb: number }> {
  const home = temporaryHome(stage);
  const cold = await startServer(stage, { home });
  await cold.stop();
  const postgres = () => livePostmaster(join(home, 'postgres', 'data'))?.pid;
  if (postgres() !== undefined)
    throw new Error('the server left its database running, so the next start would not be a warm one');
  const warm = await startServer(stage, { home, token: cold.token });
  await systemClock.sleep(settleMs);
  const database = postgres();
  if (database === undefined) throw new Error('there is no database to weigh');
  // The database may be a child of the server, which is no part of what the server itself takes.
  const bothMb = memoryMb([warm.pid, database]);
  const serverMb = bothMb - memoryMb([database]);
  await warm.stop();
  return { coldMs: cold.readyMs, warmMs: warm.readyMs, serverMb, bothMb };
}
