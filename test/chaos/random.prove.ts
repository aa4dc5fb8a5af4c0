import { join } from 'node:path';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { systemClock } from '../../src/kernel/clock.ts';
import {
  allCompleted,
  allEvents,
  build,
  databaseOf,
  type Farm,
  heldTwice,
  leftAlone,
  startFarm,
  tickets,
  untiring,
} from '../harness/farm.ts';
import { buildSkep, endAll, processesWith, type SkepProcess, until } from '../harness/process.ts';
import { card } from '../harness/story.ts';
import { dice, seed } from './dice.ts';
import { patience, patienceMs, expectClean } from './report.ts';

beforeAll(buildSkep);
afterEach(endAll);

const kills = 30;
const workers = 3;
const ticketCount = 60;

test(`${kills} kills of servers and workers under load: every ticket is completed once, nothing is left behind`, async () => {
  const roll = dice(seed);
  const mark = `0.2${process.pid}`;
  let farm = await startFarm({ SKEP_LEASE_MS: '2000', SKEP_HEARTBEAT_MS: '500', SKEP_RETRY_MS: '50', ...untiring });
  const hive: SkepProcess[] = Array.from({ length: workers }, (_, index) => farm.worker(`w${index}`, { slots: 2 }));
  const features = Array.from({ length: ticketCount }, (_, index) => ({
    title: `part ${index}`,
    ...(index >= 10 ? { depends_on: [`part ${index - 10}`] } : {}),
  }));
  await build(farm, `sleep ${mark}; date > "$SKEP_TICKET_ID.txt"`, card('chaos', features));

  const killed = { server: 0, worker: 0 };
  for (let count = 0; count < kills; count++) {
    await systemClock.sleep(200 + roll(900));
    farm = await killOne(farm, hive, { roll, killed });
  }
  expect([`seed ${seed}`, killed.server > 0, killed.worker > 0]).toEqual([`seed ${seed}`, true, true]);

  const done = await until('all tickets completed', () => allCompleted(farm), 300_000 * patience()).catch(async error => {
    throw new Error(`${String(error)}\n${await stuck(farm)}`);
  });
  expect(done).toHaveLength(ticketCount);
  const events = await allEvents(farm);
  expect(heldTwice(events)).toEqual([]);
  expect(await leftAlone(farm)).toEqual([]);
  const completions = events.filter(event => event.type === 'ticket.completed').map(event => event.subject.id);
  expect(new Set(completions).size).toBe(completions.length);
  const workerHomes = hive.map((_worker, index) => join(farm.home, 'workers', `w${index}`));
  const made = done.map(({ id }) => ({ id, repository: undefined }));
  await expectClean({ database: await databaseOf(farm), made, homes: [farm.home], workerHomes }, patienceMs(2_000));
  for (const worker of hive) await worker.kill('SIGTERM');
  expect(processesWith(`sleep ${mark}`)).toEqual([]);
});

async function killOne(
  farm: Farm,
  hive: SkepProcess[],
  { roll, killed }: { roll: (sides: number) => number; killed: { server: number; worker: number } },
): Promise<Farm> {
  const victim = roll(workers + 1);
  const worker = hive[victim];
  if (worker === undefined) {
    killed.server++;
    await farm.server.kill('SIGKILL');
    return farm.restart();
  }
  killed.worker++;
  await worker.kill('SIGKILL');
  hive[victim] = farm.worker(`w${victim}`, { slots: 2 });
  return farm;
}

/** What is not completed, and where its runs stand: for whoever reads the failure. */
async function stuck(farm: Farm): Promise<string> {
  const open = (await tickets(farm)).filter(ticket => ticket.status !== 'completed');
  const { body } = await farm.call('GET', '/api/runs?limit=500');
  const runs = body['runs'] as { subject_id: string; state: string; worker: string; attempt: number; lease_expires_at: string }[];
  const lines = open.map(({ id, status, attempts }) => {
    const last = runs.find(run => run.subject_id === id);
    return `${id} ${status} attempts ${attempts}; last run: ${JSON.stringify(last)}`;
  });
  return [...lines.slice(0, 20), `${open.length} open`].join('\n');
}
