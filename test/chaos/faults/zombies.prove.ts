import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../../src/kernel/clock.ts';
import { databaseOf } from '../../harness/farm.ts';
import { buildSkep, endAll } from '../../harness/process.ts';
import { expectRefused, openGraveyard } from '../../scenarios/fencing/ground.ts';
import { writes } from '../../scenarios/fencing/writes.ts';
import { zombies } from '../../scenarios/fencing/zombies.ts';
import { haunting } from '../../scenarios/haunting.ts';
import { comeClean, type Verdict } from '../oracle.ts';
import { conclude, patienceMs } from '../report.ts';
import { leaseMs } from '../world.ts';

beforeAll(buildSkep);
afterEach(endAll);

const stops = 50;
const times = 20;
const clean: Verdict = { lost: [], doubled: [], stuck: [], leaked: [] };

test(`a worker is stopped past its lease before it completes, ${stops} times`, { timeout: 900_000 }, async () => {
  const farm = await haunting(stops);
  const scene = { database: await databaseOf(farm), made: [], homes: [farm.home], workerHomes: [] };
  const { verdict, ms } = await comeClean(scene, patienceMs(leaseMs));
  conclude({ what: 'a worker is stopped past its lease before it completes', count: stops, verdicts: [verdict], cleanMs: [ms] });
});

describe(`every kind of write, by every kind of zombie, ${times} times`, () => {
  let count = 0;
  const endMs: number[] = [];
  test.each(zombies)('$name', { timeout: 3_600_000 }, async zombie => {
    const yard = await openGraveyard();
    try {
      for (let time = 0; time < times; time++) {
        const hand = await zombie.rise(yard.ground);
        const since = systemClock.mono();
        count += await expectRefused(yard, zombie, hand);
        endMs.push(systemClock.mono() - since);
      }
    } finally {
      await yard.close();
    }
  });

  // It comes here only where each was refused, and nothing had changed after it.
  test('all of them', () => {
    expect(endMs).toHaveLength(zombies.length * times);
    conclude({
      ...{ what: 'a zombie writes', count, kinds: writes.length, cleanMs: [0] },
      verdicts: endMs.map(() => clean),
    });
  });
});
