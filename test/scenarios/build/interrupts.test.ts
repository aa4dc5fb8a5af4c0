import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { leftAlone, startFarm, untiring } from '../../harness/farm.ts';
import { buildSkep, endAll, until } from '../../harness/process.ts';
import { makeRepository } from '../../harness/worker.ts';
import { stamper } from '../../samples/agents.ts';
import { cardOf } from '../../samples/cards.ts';
import { feature } from '../../samples/tickets.ts';
import { expectClean } from './clean.ts';
import { expectGraph } from './graph.ts';
import { hasBranch } from './published.ts';
import { look, runsOf, settled, startStory, ticketsOf, trunkOf } from './story.ts';

beforeAll(buildSkep, 120_000);
afterEach(endAll);

/** A short lease, so that a death is noticed within a test's patience; what is lost is no attempt, so there are many. */
const quick = { SKEP_LEASE_MS: '2000', SKEP_HEARTBEAT_MS: '500', SKEP_RETRY_MS: '0', ...untiring };
const checks = [{ name: 'stamps', command: ['sh', '-c', '! grep -rq red work'] }];

test("Skep's copy of the repository is lost in the middle: it is made again, and the work goes on", async () => {
  const farm = await startFarm({ ...quick, SKEP_FAILPOINTS: 'before-land:kill' });
  const repository = makeRepository({ 'README.md': '# Stamps\n' });
  const story = await startStory(farm, { repository, agent: stamper, checks, card: cardOf(4, 'diamonds') });
  const worker = farm.worker('steady', { slots: 2 });
  await farm.server.ended;
  rmSync(join(farm.home, 'depot'), { recursive: true });
  const again = await farm.restart({ SKEP_FAILPOINTS: '' });
  const outcome = await settled(again, story);
  expect(outcome.session.state).toBe('completed');
  await expectGraph(again, outcome, repository);
  await expectClean(again, [worker]);
});

test('a session that is cancelled in the thick of it: all ends, and the trunk moves no more', async () => {
  const farm = await startFarm(quick);
  const worker = farm.worker('busy', { slots: 3 });
  const repository = makeRepository({ 'line.txt': 'before\n' });
  const features = ['Left', 'Right', 'Middle'].map(title => feature(title, { 'write line.txt': title }));
  const fresh = ['One', 'Two', 'Three', 'Four'].map(title => ({ title }));
  // Its conflicts are worked on for longer than the test lasts.
  const work =
    'if [ -n "$SKEP_CONFLICT" ]; then sleep 600; fi; cat "$SKEP_TICKET" >"$SKEP_TICKET_ID.txt"; grep -q "write line" "$SKEP_TICKET" && date +%N >line.txt; true';
  const story = await startStory(farm, {
    repository,
    agent: { kind: 'exec', command: ['sh', '-c', work] },
    checks: [{ name: 'slow', command: ['sleep', '0.3'] }],
    card: { name: 'Cancelled', features: [...features, ...fresh] },
  });
  await until('a conflict is worked on', async () => {
    const runs = await runsOf(farm);
    return runs.find(run => run.subject_type === 'conflict' && run.state === 'working');
  });
  expect((await farm.call('POST', `/api/hitl/${story.session}/cancel`)).status).toBe(200);
  await until('nothing runs any more', async () => {
    const runs = await runsOf(farm);
    return runs.every(run => over.has(run.state)) ? true : undefined;
  });
  await until('nothing is without an owner', async () => ((await leftAlone(farm)).length === 0 ? true : undefined));
  const { trunk, tickets, changes, reviews, session } = await look(farm, story);
  expect(session.state).toBe('cancelled');
  expect(tickets.filter(({ status }) => status !== 'cancelled' && status !== 'completed')).toEqual([]);
  expect(changes.filter(({ state }) => state !== 'merged' && state !== 'closed')).toEqual([]);
  expect(reviews.filter(({ state }) => state === 'pending' || state === 'running')).toEqual([]);
  expect(trunk.merge_count).toBe(tickets.filter(({ status }) => status === 'completed').length);
  await expectClean(farm, [worker]);
  expect((await trunkOf(farm, story))?.head_sha).toBe(trunk.head_sha);
  expect(hasBranch(repository, trunk.branch)).toBe(trunk.merge_count > 0);
  expect((await ticketsOf(farm, story)).map(({ status }) => status)).toEqual(tickets.map(({ status }) => status));
});

const over: ReadonlySet<string> = new Set(['accepted', 'returned', 'failed', 'lost', 'cancelled']);
