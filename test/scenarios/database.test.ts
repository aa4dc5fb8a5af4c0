import { join } from 'node:path';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { livePostmaster } from '../../src/db/embedded/pid-file.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { allCompleted, allEvents, build, type Farm, heldTwice, startFarm, tickets } from '../harness/farm.ts';
import { buildSkep, endAll, until } from '../harness/process.ts';
import { card } from '../harness/story.ts';

beforeAll(buildSkep);
afterEach(endAll);

const backMsMax = 15_000;

const postmaster = ({ home }: Farm) => livePostmaster(join(home, 'postgres/data'))?.pid ?? 0;

/** What the API answers from the kill on, until it can do its work again; and how long that took. */
async function killDatabase(farm: Farm): Promise<{ seen: Set<string>; backMs: number }> {
  const seen = new Set<string>();
  const since = systemClock.mono();
  process.kill(postmaster(farm), 'SIGKILL');
  await until(
    'the database is back',
    async () => {
      const { status, headers } = await farm.call('POST', '/api/projects', { name: `made ${seen.size} ${systemClock.mono()}` });
      if (status === 201) return seen.size > 0 ? true : undefined;
      seen.add(`${status} ${headers.get('skep-fault')}`);
      return undefined;
    },
    backMsMax,
  );
  return { seen, backMs: Math.round(systemClock.mono() - since) };
}

test('kill -9 of the embedded database, twice, in the middle of work: it comes back by itself and nothing is lost', async () => {
  const farm = await startFarm();
  for (const name of ['one', 'other']) farm.worker(name, { slots: 2 });
  const features = Array.from({ length: 8 }, (_, i) => ({ title: `f${i}`, ...(i < 4 ? {} : { depends_on: [`f${i - 4}`] }) }));
  await build(farm, 'sleep 1; date > "$SKEP_TICKET_ID.txt"', card('database dies', features));
  for (let times = 0; times < 2; times++) {
    await until('something runs', async () =>
      (await tickets(farm)).some(({ status }) => status === 'running') ? true : undefined,
    );
    const before = (await allEvents(farm)).length;
    const { seen, backMs } = await killDatabase(farm);
    expect([...seen]).toEqual(['503 database_unavailable']);
    expect(backMs).toBeLessThan(backMsMax);
    expect((await allEvents(farm)).length).toBeGreaterThanOrEqual(before);
  }
  const done = await until('all tickets completed', () => allCompleted(farm), 60_000);
  const events = await allEvents(farm);
  expect(heldTwice(events)).toEqual([]);
  for (const { id } of done)
    expect(events.filter(({ type, subject }) => type === 'ticket.completed' && subject.id === id)).toHaveLength(1);
}, 150_000);
