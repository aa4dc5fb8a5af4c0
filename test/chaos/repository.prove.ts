import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { systemClock } from '../../src/kernel/clock.ts';
import { allEvents, databaseOf, startFarm, untiring } from '../harness/farm.ts';
import { buildSkep, endAll, type SkepProcess, until } from '../harness/process.ts';
import { makeRepository } from '../harness/worker.ts';
import { stamper } from '../samples/agents.ts';
import { cardOf } from '../samples/cards.ts';
import { expectClean } from '../scenarios/build/clean.ts';
import { expectGraph } from '../scenarios/build/graph.ts';
import { byTitle, settled, startStory, trunkOf } from '../scenarios/build/story.ts';
import { fileOn, landedOn, ticketsLanded } from '../scenarios/build/published.ts';
import { dice, seed } from './dice.ts';
import { patienceMs, expectClean as comesClean } from './report.ts';

beforeAll(buildSkep);
afterEach(endAll);

/** A short lease, so that a death is noticed within a test's patience; what is lost is an attempt, so there are many. */
const quick = { SKEP_LEASE_MS: '2000', SKEP_HEARTBEAT_MS: '500', SKEP_RETRY_MS: '0', ...untiring };
const checks = [{ name: 'stamps', command: ['sh', '-c', '! grep -rq red work'] }];

test("Skep's copies of repositories vanish under a server that goes on: they are made again", async () => {
  const farm = await startFarm(quick);
  const worker = farm.worker('steady', { slots: 2 });
  const repository = makeRepository({ 'README.md': '# Stamps\n' });
  const story = await startStory(farm, { repository, agent: stamper, checks, card: cardOf(10, 'diamonds') });
  const depot = join(farm.home, 'depot');
  for (const count of [1, 4]) {
    await until(`${count} have landed`, async () =>
      ((await trunkOf(farm, story))?.merge_count ?? 0) >= count ? true : undefined,
    );
    const copies = readdirSync(depot).filter(name => name.endsWith('.git'));
    // Git may be writing there just now.
    for (const name of copies) rmSync(join(depot, name), { recursive: true, maxRetries: 20, retryDelay: 10 });
    expect(copies).toHaveLength(1);
  }
  const outcome = await settled(farm, story, 300_000);
  expect(outcome.session.state).toBe('completed');
  await expectGraph(farm, outcome, repository);
  await expectClean(farm, [worker]);
});

const kills = 25;

test(`${kills} kills at any moment, and the depot lost now and then: all lands once, conflicts too`, async () => {
  const roll = dice(seed);
  let farm = await startFarm(quick);
  const names = ['left', 'right'];
  const hive: SkepProcess[] = names.map(name => farm.worker(name, { slots: 2 }));
  const repository = makeRepository({ 'shared.txt': 'before\n' });
  // Every fourth writes a line that others write too, and keeps both sides of a conflict.
  const work = `
    if [ -n "$SKEP_CONFLICT" ]; then sed -i '/^[<=>|]\\{7\\}/d' shared.txt; exit; fi
    mkdir -p work; echo "$SKEP_TICKET_ID" >"work/$SKEP_TICKET_ID.txt"
    case $SKEP_TICKET_ID in *[05]) echo "$SKEP_TICKET_ID" >>shared.txt ;; esac`;
  const agent = { kind: 'exec' as const, command: ['sh', '-c', work] };
  const card = cardOf(40, 'product');
  const story = await startStory(farm, { repository, agent, checks, card });
  for (let count = 0; count < kills; count++) {
    await systemClock.sleep(300 + roll(1_500));
    const victim = roll(names.length + 1);
    const name = names[victim];
    if (name === undefined) {
      await farm.server.kill('SIGKILL');
      if (roll(3) === 0) rmSync(join(farm.home, 'depot'), { recursive: true });
      farm = await farm.restart();
    } else {
      await hive[victim]?.kill('SIGKILL');
      hive[victim] = farm.worker(name, { slots: 2 });
    }
  }
  const outcome = await settled(farm, story, 600_000);
  expect([seed, outcome.session.state]).toEqual([seed, 'completed']);
  const { trunk, tickets } = outcome;
  expect((await allEvents(farm)).filter(({ type }) => type === 'change.conflict')).not.toEqual([]);
  const landed = landedOn(repository, trunk.branch, trunk.base_sha ?? '');
  expect(ticketsLanded(landed).toSorted()).toEqual(tickets.map(({ id }) => id).toSorted());
  const lines = fileOn(repository, trunk.branch, 'shared.txt')?.split('\n').slice(1);
  expect(lines?.toSorted()).toEqual(
    tickets
      .map(({ id }) => id)
      .filter(id => /[05]$/.test(id))
      .toSorted(),
  );
  expect(byTitle(tickets, 'Part 040').status).toBe('completed');
  await expectGraph(farm, outcome, repository);
  const made = tickets.filter(({ type }) => type !== 'epic').map(({ id }) => ({ id, repository }));
  const workerHomes = names.map(name => join(farm.home, 'workers', name));
  await comesClean({ database: await databaseOf(farm), made, homes: [farm.home], workerHomes }, patienceMs(2_000));
  await expectClean(farm, hive);
});
