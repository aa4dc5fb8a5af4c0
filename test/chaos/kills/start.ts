import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { postgresIn } from '../../../src/db/embedded/pid-file.ts';
import { systemClock } from '../../../src/kernel/clock.ts';
import { databaseOf, startFarm } from '../../harness/farm.ts';
import { skep, tempFolder } from '../../harness/process.ts';
import { judge } from '../oracle.ts';
import { expectDeath, type Round } from './round.ts';
import { pointsOfStart } from './server.ts';

/** The first start of a home dies at each of the points; the next one does what was left to be done. */
export async function killStarts(times: number): Promise<Round[]> {
  const rounds: Round[] = [];
  for (let time = 0; time < times; time++) for (const point of pointsOfStart) rounds.push(await killStart(point));
  return rounds;
}

async function killStart(point: string): Promise<Round> {
  const home = tempFolder();
  const env = { SKEP_HOME: home, SKEP_PORT: '0', SKEP_FAILPOINTS: `${point}:kill` };
  await expectDeath(skep(['server', '--json'], env), point);
  const since = systemClock.mono();
  const farm = await startFarm({}, home);
  const ms = Math.round(systemClock.mono() - since);
  const verdict = await judge({ database: await databaseOf(farm), made: [], homes: [home], workerHomes: [] });
  const drafts = readdirSync(join(home, 'postgres')).filter(name => name.startsWith('data.init-'));
  const others = postgresIn(join(home, 'postgres/data'))
    .filter(({ backend }) => !backend)
    .slice(1);
  const leaked = [...verdict.leaked, ...drafts, ...others.map(({ pid }) => `postmaster ${pid}`)];
  await farm.server.kill('SIGTERM');
  return { point, ms, verdict: { ...verdict, leaked } };
}
