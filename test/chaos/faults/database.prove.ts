import { join } from 'node:path';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { livePostmaster } from '../../../src/db/embedded/pid-file.ts';
import { endModelFarms } from '../../harness/model-farm.ts';
import { buildSkep, until } from '../../harness/process.ts';
import { endLoads, type Load, ownEmbedded, ownPostgres, startLoad } from '../load.ts';
import { busyWorld, patienceMs, startWorld } from '../world.ts';
import { endConnections, holeInLine, killPostgres, loseAnswers, resetLine, slowLine } from './database.ts';
import { underLoad } from './disturb.ts';

beforeAll(buildSkep);
afterEach(async () => {
  await endModelFarms();
  await endLoads();
});

const timeout = 1_800_000;

async function busy(): Promise<Load> {
  const load = await startLoad(await ownEmbedded());
  load.worker('one');
  return load;
}

test.each(['SIGKILL', 'SIGQUIT'] as const)('%s to PostgreSQL 15 under load, 20 times', { timeout }, async signal => {
  const postgres = await ownPostgres();
  expect(postgres, 'the Debian package postgresql-15 is not installed').toBeDefined();
  if (postgres === undefined) return;
  const load = await startLoad(postgres);
  load.worker('one');
  await killPostgres(load, postgres, { signal, times: 20 });
});

test.each([
  ['SIGKILL', 'killed'],
  ['SIGQUIT', 'stopped at once'],
] as const)('%s to the embedded PostgreSQL under load, 20 times', { timeout }, async (signal, how) => {
  const world = await startWorld(['plain']);
  world.worker('one', undefined, 2);
  const folder = join(world.farm().home, 'postgres/data');
  await underLoad(busyWorld(world), {
    ...{ what: `the embedded PostgreSQL is ${how} under load`, times: 20, betweenMs: 2_000 },
    async act() {
      const { pid } = await until('it is up', () => livePostmaster(folder), patienceMs);
      process.kill(pid, signal);
    },
  });
});

test('all connections are ended, 100 times', { timeout }, async () => endConnections(await busy(), 100));
test('the line is reset, 50 times', { timeout }, async () => resetLine(await busy(), 50));
test('the line is half-open, 10 times', { timeout }, async () => holeInLine(await busy(), 10));
test('the line is slow, 10 times', { timeout }, async () => slowLine(await busy(), 10));
test('a transaction is done and the answer is lost, 100 times', { timeout }, async () =>
  loseAnswers(await busy(), 'commit', 100),
);
test('a statement is done and the answer is lost, 100 times', { timeout }, async () => loseAnswers(await busy(), 'any', 100));
