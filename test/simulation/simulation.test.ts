import { writeSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { kept, lineFor } from './kept.ts';
import { dying, tellDying } from './mutants/dying.ts';
import { mutants, mutantSeedsMax } from './mutants/index.ts';
import { openPool, type Pool } from './pool/index.ts';
import { neverStruck, tellStruck } from './pool/struck.ts';
import type { Told } from './pool/tasks.ts';
import { schemaCatalog } from './postgres/storage/catalog/index.ts';
import { shrink } from './shrink.ts';
import { simulate, type SimulateOptions } from './simulate.ts';
import { faultKinds, faultsOn, optionsOf } from './world/options.ts';

/** A hundred seeds are some five seconds of one core, and so these some nine minutes of two; a million are in the proof. */
const patienceMs = 2_700_000;
const seedsOfMerge = 20_000;
const seedsTwice = 300;

let pool: Pool;
beforeAll(async () => {
  pool = await openPool();
});
afterAll(() => pool.close());

const same = <T>(made: T): T => made;

test.each(kept)('the world of seed $seed, which once broke a rule, breaks none: $what', async ({ seed, options }) => {
  const { violation, figures } = await simulate(seed, { options });
  expect(violation).toBeUndefined();
  expect(figures.claims).toBeGreaterThan(0);
});

test('a seed comes out the same each time', { timeout: patienceMs }, async () => {
  const { seeds, unlike } = await pool.run({ first: 500_000, count: seedsTwice, twice: true });
  expect({ seeds, unlike }).toEqual({ seeds: seedsTwice, unlike: [] });
});

test(`${seedsOfMerge} seeds break no rule`, { timeout: patienceMs }, async () => {
  const { seeds, violations, claims, landed, rejected, struck } = await pool.run({ first: 1, count: seedsOfMerge });
  writeSync(1, `${tellStruck(struck).join('\n')}\n`);
  expect(await told(violations)).toEqual([]);
  expect(seeds).toBe(seedsOfMerge);
  // Something happened in them.
  expect(claims).toBeGreaterThan(3 * seedsOfMerge);
  expect(landed).toBeGreaterThan(seedsOfMerge);
  expect(rejected).toBeGreaterThan(seedsOfMerge / 50);
  expect(neverStruck(struck)).toEqual([]);
});

/** All of them, and the first made small, as it is to be kept. */
async function told(violations: readonly Told[]): Promise<string[]> {
  const [first] = violations;
  const lines = first === undefined ? [] : [`for kept.jsonl: ${await lineFor(first.seed, first.rule)}`];
  return [...violations.map(({ text }) => text), ...lines];
}

test.each(mutants.map(mutant => [mutant.name, mutant] as const))(
  'a product with the fault %s dies',
  { timeout: patienceMs },
  async (_, mutant) => {
    const how = await dying(pool, mutant, { firsts: [1] });
    writeSync(1, `${tellDying(mutant, how)}\n`);
    // By a rule that is about its fault: others do not count.
    expect(mutant.rules).toContain(how.deaths[0]?.rule);
  },
);

test.each(mutants.map(mutant => [mutant.name, mutant] as const))(
  'the fault %s is put into some statement, takes an index away, or stands in the way of some push',
  { timeout: patienceMs },
  async (_, { how: { rewrite = same, upstream = same, unkept = [] } }) => {
    const indexes = schemaCatalog().tables.flatMap(({ uniques }) => uniques.map(({ name }) => name));
    let changed = unkept.filter(name => indexes.includes(name)).length;
    const how: SimulateOptions = {
      rewrite(text) {
        const made = rewrite(text);
        if (made !== text) changed += 1;
        return made;
      },
      upstream(real) {
        const made = upstream(real);
        if (made.publish !== real.publish) changed += 1;
        return made;
      },
    };
    for (let seed = 1; changed === 0 && seed <= mutantSeedsMax; seed++) await simulate(seed, how);
    expect(changed).toBeGreaterThan(0);
  },
);

test('a failing seed is made small, and still fails', async () => {
  const { how } = mutants.find(({ name }) => name === 'workerClockExpiry') ?? { how: {} };
  let seed = 1;
  let found = await simulate(seed, how);
  while (found.violation === undefined && seed < 200) found = await simulate(++seed, how);
  const rule = found.violation?.rule ?? 'all comes to its end';
  const less = await shrink(seed, rule, how);
  expect((await simulate(seed, { ...how, less })).violation?.rule).toBe(rule);
  const [before, after] = [optionsOf(seed), optionsOf(seed, less)];
  expect(faultsOn(after).length + after.tickets + after.workers).toBeLessThan(
    faultsOn(before).length + before.tickets + before.workers,
  );
}, 120_000);

test.each([false, true])('nothing goes wrong before there is work to do, where a world begins calm: %s', async beginsCalm => {
  const seeds = Array.from({ length: 100 }, (_, seed) => seed).filter(seed => {
    const options = optionsOf(seed);
    return options.beginsCalm === beginsCalm && options.faults.workerCrash > 0.1;
  });
  let dead = 0;
  for (const seed of seeds.slice(0, 6)) {
    const { trace } = await simulate(seed, { isTraceWhole: true });
    const [begins, ends] = ['world is faulty', 'world is calm'].map(word => trace.findIndex(line => line.endsWith(word)));
    expect(trace[begins ?? -1]?.startsWith('0 ')).toBe(!beginsCalm);
    expect(ends).toBeGreaterThan(begins ?? -1);
    const deaths = trace.flatMap((line, i) => (line.endsWith(' dies') ? [i] : []));
    expect(deaths.filter(i => i < (begins ?? -1) || i > (ends ?? -1))).toEqual([]);
    dead += deaths.length;
  }
  expect(dead).toBeGreaterThan(0);
});

test('a world that begins calm and in which no trunk becomes ready has shown nothing', async () => {
  const { violation } = await simulate(1, { options: { ...optionsOf(1), beginsCalm: true, tickets: 0 } });
  expect(violation).toMatchObject({
    rule: 'all comes to its end',
    message: expect.stringMatching(/^nothing ever went wrong/) as string,
  });
});

test('a seed turns on few of the faults, or many', () => {
  const counts = Array.from({ length: 100 }, (_, seed) => faultsOn(optionsOf(seed)).length);
  expect(Math.min(...counts)).toBeLessThan(faultKinds.length / 5);
  expect(Math.max(...counts)).toBeGreaterThan((faultKinds.length * 3) / 4);
});

test('a fault that is taken away changes no other of the seed', () => {
  const [all, fewer] = [optionsOf(9), optionsOf(9, { without: ['poison'] })];
  expect(fewer).toEqual({ ...all, faults: { ...all.faults, poison: 0 } });
  expect(faultKinds.every(kind => Array.from({ length: 40 }, (_, seed) => optionsOf(seed).faults[kind]).includes(0))).toBe(true);
});
