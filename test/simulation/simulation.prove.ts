import { writeSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { compareSeed } from './differential/seeds.ts';
import { dying, keepDying, tellDying } from './mutants/dying.ts';
import { mutants } from './mutants/index.ts';
import { openPool, type Pool } from './pool/index.ts';
import { type Struck, tellStruck, togetherStruck } from './pool/struck.ts';
import { keepSeeds } from './report.ts';

/** Less than all of it, to see that it runs: `PART=0.01`. */
const part = Number(process.env['PART'] ?? 1);

const seedsFirst = 1_000_000;
const seedsMax = 1_000_000;
const seedsMs = 1_200_000 * part;
/** Between two words of how far it is: about a minute of two cores. */
const seedsAtOnce = Math.ceil(2_000 * Math.min(1, 10 * part));
const bases = Array.from({ length: Math.ceil(10 * part) }, (_, i) => 10_000_000 * (i + 1));
/** One in two hundred of a merge's seeds. */
const comparedCount = Math.ceil(100 * part);
const comparedAtOnce = 10;

/** How far it is, and the figures of a proof. */
const say = (line: string): void => void writeSync(1, `${line}\n`);

let pool: Pool;
beforeAll(async () => {
  pool = await openPool();
});
afterAll(() => pool.close());

test('a million seeds, or as many as twenty minutes hold, break no rule', { timeout: 2 * seedsMs + 600_000 }, async () => {
  const since = performance.now();
  const until = since + seedsMs;
  const broken: string[] = [];
  const struck: Struck[] = [];
  let done = 0;
  while (done < seedsMax && performance.now() < until) {
    const count = Math.min(seedsAtOnce, seedsMax - done);
    const part = await pool.run({ first: seedsFirst + done, count, until });
    const { seeds, violations } = part;
    done += seeds;
    struck.push(part.struck);
    for (const { text } of violations) say(text);
    broken.push(...violations.map(({ text }) => text));
    say(`${done} seeds in ${Math.round((performance.now() - since) / 1_000)} s, ${broken.length} violations`);
  }
  const together = togetherStruck(struck);
  for (const line of tellStruck(together)) say(line);
  const seconds = Math.round((performance.now() - since) / 1_000);
  keepSeeds({ first: seedsFirst, seeds: done, violations: broken.length, seconds, struck: together });
  expect(done).toBeGreaterThan(0);
  expect(broken).toEqual([]);
});

test.each(mutants.map(mutant => [mutant.name, mutant] as const))(
  'the fault %s dies whatever the seeds begin with',
  { timeout: 7_200_000 },
  async (_, mutant) => {
    const how = await dying(pool, mutant, { firsts: bases });
    keepDying(mutant, how);
    say(tellDying(mutant, how));
    expect(how.deaths.filter(({ after }) => after === null)).toEqual([]);
  },
);

test('PostgreSQL is asked the same by the worlds, and answers the same', { timeout: 7_200_000 }, async () => {
  for (let seed = 1; seed <= comparedCount; seed++) {
    expect((await compareSeed(seed * 200)).difference, `seed ${seed * 200}`).toBeUndefined();
    if (seed % comparedAtOnce === 0 || seed === comparedCount) say(`${seed} of ${comparedCount} seeds compared`);
  }
});
