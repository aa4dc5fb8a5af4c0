import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Farm, startFarm } from '../../harness/farm.ts';
import { buildSkep, endAll } from '../../harness/process.ts';
import { makeRepository } from '../../harness/worker.ts';
import { stamper } from '../../samples/agents.ts';
import { cardOf } from '../../samples/cards.ts';
import { snapshotTree } from '../../samples/snapshot.ts';
import { expectInOrder } from './clean.ts';
import { expectGraph } from './graph.ts';
import { settled, startStory } from './story.ts';

let farm: Farm;
beforeAll(async () => {
  buildSkep();
  farm = await startFarm();
  farm.worker('left', { slots: 2 });
  farm.worker('right', { slots: 2 });
}, 120_000);
afterAll(endAll);

/** Red where a file does not hold its own name. */
const checks = [
  {
    name: 'stamps',
    command: ['sh', '-c', 'for f in work/*.txt; do [ ! -e "$f" ] || grep -qx "$(basename "$f" .txt)" "$f"; done'],
  },
];

test.each([
  [5, 'diamonds'],
  [50, 'layers'],
] as const)(
  '%d tickets as %s: each lands once, on what it depends on, and the result is proven',
  { timeout: 180_000 },
  async (count, shape) => {
    const repository = makeRepository({ 'README.md': '# Stamps\n' });
    const before = snapshotTree(repository, [`refs/heads/skep/${count}-parts-as-${shape}`]);
    const story = await startStory(farm, { repository, agent: stamper, checks, card: cardOf(count, shape) });
    const outcome = await settled(farm, story, 170_000);
    expect(outcome.results.map(({ state, proof }) => [state, proof])).toEqual([['validated', 'proven']]);
    expect(outcome.tickets.map(({ attempts }) => attempts)).toEqual(outcome.tickets.map(() => 1));
    expect(outcome.tickets).toHaveLength(count);
    await expectGraph(farm, outcome, repository);
    expect(snapshotTree(repository, [`refs/heads/${outcome.trunk.branch}`])).toEqual(before);
  },
);

test('nothing of all this is stuck, held twice or waited for in a circle', () => expectInOrder(farm));
