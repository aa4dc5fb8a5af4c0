import { expect, test } from 'vitest';
import { optionsOf } from '../world/options.ts';
import { compareSeed } from './seeds.ts';

const [first, count] = (process.env['SKEP_DIFFERENTIAL_SEEDS'] ?? '1 3').split(' ').map(Number);

/** In its world agents ask people, and models by two templates, and have a budget. */
const talking = 17;

test('the seed of a world in which agents ask is still one', () => {
  const { asks, models, capMicroUsd, faults } = optionsOf(talking);
  expect(asks).toBeGreaterThan(0.5);
  expect([models, capMicroUsd !== null, faults.modelAway > 0]).toEqual(['routed', true, true]);
});

test.each([...Array.from({ length: count ?? 0 }, (_, i) => (first ?? 1) + i), talking])(
  'the world of seed %i asks PostgreSQL the same, and is answered the same',
  async seed => {
    const { steps, difference } = await compareSeed(seed);
    expect(difference).toBeUndefined();
    expect(steps).toBeGreaterThan(400);
  },
  300_000,
);

test('a statement that means something else in memory is found', async () => {
  const rewrite = (text: string): string => text.replace("state = 'leased', worker = $2", "state = 'leased', worker = 'nobody'");
  const { difference } = await compareSeed(1, rewrite);
  expect(difference).toContain('worker: "nobody" | "w0"');
}, 300_000);
