import { afterAll, beforeAll, expect, it, test } from 'vitest';
import { type Farm, startFarm } from '../harness/farm.ts';
import { buildSkep, endAll } from '../harness/process.ts';
import { temporaryFolder } from '../harness/worker.ts';
import { hostileRepository } from '../samples/hostile.ts';
import { sampleNames } from '../samples/repositories.ts';
import { snapshotTree } from '../samples/snapshot.ts';
import { expectInOrder } from '../scenarios/build/clean.ts';
import { expectBuilt } from '../scenarios/build/foreign.ts';
import { settled, startStory } from '../scenarios/build/story.ts';

let farm: Farm;
beforeAll(async () => {
  buildSkep();
  farm = await startFarm();
  farm.worker('steady', { slots: 2 });
});
afterAll(endAll);

it.each(sampleNames.filter(name => name !== 'eyes'))('%s, which others wrote, is built on', name => expectBuilt(farm, name));

test('a ref that is a pipe: the repository is refused in time, with a reason, and nothing waits for ever', async () => {
  const { folder, canaries } = hostileRepository({ canaries: temporaryFolder(), variants: ['fifo_in_git'] });
  const before = snapshotTree(folder);
  const story = await startStory(farm, {
    repository: folder,
    agent: { kind: 'exec', command: ['true'] },
    card: { name: 'Fit', features: [{ title: 'Do it' }] },
  });
  const { trunk } = await settled(farm, story, 180_000);
  expect(trunk).toMatchObject({ state: 'refused', reason: expect.stringContaining('did not answer in time') });
  expect(canaries()).toEqual([]);
  expect(snapshotTree(folder)).toEqual(before);
});

test('nothing of all this is stuck, held twice or waited for in a circle', () => expectInOrder(farm));
