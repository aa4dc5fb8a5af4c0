import { expect, test } from 'vitest';
import { compareSeed } from './seeds.ts';

const [first, count] = (process.env['SKEP_DIFFERENTIAL_SEEDS'] ?? '1 3').split(' ').map(Number);

test.each(Array.from({ length: count ?? 0 }, (_, i) => (first ?? 1) + i))(
  'the world of seed %i asks PostgreSQL the same, and is answered the same',
  async seed => {
    const { steps, difference } = await compareSeed(seed);
    expect(difference).toBeUndefined();
    expect(steps).toBeGreaterThan(500);
  },
  300_000,
);

test('a statement that means something else in memory is found', async () => {
  const rewrite = (text: string): string => text.replace("state = 'leased', worker = $2", "state = 'leased', worker = 'nobody'");
  const { difference } = await compareSeed(1, rewrite);
  expect(difference).toContain('worker: "nobody" | "w0"');
}, 300_000);
