import { afterEach, beforeAll, expect, test } from 'vitest';
import { startFarm } from '../harness/farm.ts';
import { buildSkep, endAll } from '../harness/process.ts';
import { makeRepository } from '../harness/worker.ts';
import { stamper } from '../samples/agents.ts';
import { cardOf } from '../samples/cards.ts';
import { snapshotTree } from '../samples/snapshot.ts';
import { expectClean } from '../scenarios/build/clean.ts';
import { expectGraph } from '../scenarios/build/graph.ts';
import { settled, startStory } from '../scenarios/build/story.ts';

beforeAll(buildSkep);
afterEach(endAll);

test.each(['layers', 'diamonds', 'product'] as const)(
  '500 tickets as %s: each lands once, on what it depends on',
  { timeout: 1_800_000 },
  async shape => {
    const farm = await startFarm();
    const workers = ['left', 'right'].map(name => farm.worker(name, { slots: 2 }));
    const repository = makeRepository({ 'README.md': '# Stamps\n' });
    const before = snapshotTree(repository, [`refs/heads/skep/500-parts-as-${shape}`]);
    const checks = [{ name: 'stamps', command: ['sh', '-c', '! grep -rq red work'] }];
    const story = await startStory(farm, { repository, agent: stamper, checks, card: cardOf(500, shape) });
    const outcome = await settled(farm, story, 1_700_000);
    expect(outcome.results.map(({ state, proof }) => [state, proof])).toEqual([['validated', 'proven']]);
    expect(outcome.tickets).toHaveLength(500);
    expect(outcome.tickets.filter(({ attempts }) => attempts !== 1)).toEqual([]);
    await expectGraph(farm, outcome, repository);
    expect(snapshotTree(repository, [`refs/heads/${outcome.trunk.branch}`])).toEqual(before);
    await expectClean(farm, workers);
  },
);
