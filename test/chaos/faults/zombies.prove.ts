import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { databaseOf } from '../../harness/farm.ts';
import { buildSkep, endAll } from '../../harness/process.ts';
import { expectRefused, openGraveyard } from '../../scenarios/fencing/ground.ts';
import { writes } from '../../scenarios/fencing/writes.ts';
import { zombies } from '../../scenarios/fencing/zombies.ts';
import { haunting } from '../../scenarios/haunting.ts';
import { comeClean, judge, type Verdict } from '../oracle.ts';
import { begin, conclude, patienceMs } from '../report.ts';
import { leaseMs } from '../world.ts';

beforeAll(buildSkep);
afterEach(endAll);

const stops = 50;
const times = 20;

test(`a worker is stopped past its lease before it completes, ${stops} times`, { timeout: 900_000 }, async () => {
  const what = 'a worker is stopped past its lease before it completes';
  begin(what);
  const { farm, workerHomes } = await haunting(stops);
  const withinMs = patienceMs(leaseMs);
  const { verdict, ms } = await comeClean(
    { database: await databaseOf(farm), made: [], homes: [farm.home], workerHomes },
    withinMs,
  );
  conclude({ what, count: stops, verdicts: [verdict], cleanMs: [ms], withinMs });
});

describe(`every kind of write, by every kind of zombie, ${times} times`, () => {
  const what = 'a zombie writes';
  let count = 0;
  const verdicts: Verdict[] = [];
  test.each(zombies)('$name', { timeout: 3_600_000 }, async zombie => {
    begin(what);
    const yard = await openGraveyard();
    const { superuserUrl: database, folder } = yard.ground.stages;
    try {
      for (let time = 0; time < times; time++) {
        const hand = await zombie.rise(yard.ground);
        count += await expectRefused(yard, zombie, hand);
        // No loop runs in the yard, so that nothing but a write can change anything: what waits there waits for ever, and by design.
        const { doubled, leaked } = await judge({ database, made: [], homes: [folder], workerHomes: [] });
        verdicts.push({ lost: [], doubled, stuck: [], leaked });
      }
    } finally {
      await yard.close();
    }
  });

  // It comes here only where each was refused, and nothing had changed after it.
  test('all of them', () => {
    expect(verdicts).toHaveLength(zombies.length * times);
    conclude({ what, count, kinds: writes.length, verdicts, cleanMs: [], withinMs: 0 });
  });
});
