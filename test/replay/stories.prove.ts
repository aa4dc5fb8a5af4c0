import { afterEach, beforeAll, expect, test } from 'vitest';
import { allEvents, leftAlone, startFarm } from '../harness/farm.ts';
import { endModelFarms } from '../harness/model-farm.ts';
import { buildSkep, until } from '../harness/process.ts';
import { keep } from './corpus.ts';
import { fold } from './fold.ts';
import { broken } from './stories/broken.ts';
import { fleet } from './stories/fleet.ts';
import { models } from './stories/models.ts';
import { people } from './stories/people.ts';
import { plain } from './stories/plain.ts';
import { waits } from './stories/waits.ts';

beforeAll(buildSkep, 120_000);
afterEach(endModelFarms);

// Each is a spec that comes to its end; that its events come to what its rows say is looked at when its farm ends. The log is kept
// where it is asked for (record.ts).
test.each([...plain, ...broken, ...people, ...models, ...waits, ...fleet])(
  '$name: what its log says is what has become of it',
  {
    timeout: 240_000,
  },
  async ({ name, env, start = startFarm, play }) => {
    const farm = await play(await start(env?.() ?? {}));
    await until('nothing is left to be done', async () => ((await leftAlone(farm)).length === 0 ? true : undefined));
    const log = await allEvents(farm);
    const { standing, findings } = fold(log);
    expect(findings).toEqual([]);
    expect(Object.values(standing.spec).map(({ state }) => state)).toEqual([
      cancelled.includes(name) ? 'cancelled' : 'completed',
    ]);
    keep(name, log);
  },
);

const cancelled: readonly string[] = ['cancelled', 'given-up'];
