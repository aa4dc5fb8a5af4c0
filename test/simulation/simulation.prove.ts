import { writeSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { compareSeed } from './differential/seeds.ts';
import { mutants } from './mutants/index.ts';
import { openPool, type Pool } from './pool/index.ts';

const seedsMax = 1_000_000;
const seedsMs = 1_200_000;
const bases = Array.from({ length: 10 }, (_, i) => 10_000_000 * (i + 1));
/** One in two hundred of a merge's seeds. */
const comparedCount = 100;

/** The figures of a proof. */
const say = (line: string): void => void writeSync(1, `${line}\n`);

let pool: Pool;
beforeAll(async () => {
  pool = await openPool();
});
afterAll(() => pool.close());

test('a million seeds, or as many as twenty minutes hold, break no rule', { timeout: 2 * seedsMs }, async () => {
  const { seeds, violations } = await pool.run({ first: 1_000_000, count: seedsMax, until: performance.now() + seedsMs });
  say(`${seeds} seeds`);
  expect(violations.map(({ text }) => text)).toEqual([]);
});

test.each(mutants.map(({ name, seedsMax: most }) => [name, most] as const))(
  'the fault %s dies whatever the seeds begin with',
  { timeout: 7_200_000 },
  async (name, most) => {
    const died: number[] = [];
    for (const first of bases) {
      const { violations } = await pool.run({ first, count: most, mutant: name, isFirstEnough: true });
      died.push(...violations.slice(0, 1).map(({ seed }) => seed - first + 1));
    }
    say(`${name} dies after ${died.toSorted((a, b) => a - b).join(', ')} seeds`);
    expect(died).toHaveLength(bases.length);
  },
);

test('PostgreSQL is asked the same by the worlds, and answers the same', { timeout: 7_200_000 }, async () => {
  for (let seed = 1; seed <= comparedCount; seed++)
    expect((await compareSeed(seed * 200)).difference, `seed ${seed * 200}`).toBeUndefined();
});
