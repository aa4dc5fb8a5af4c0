import { afterEach, beforeAll, expect, test } from 'vitest';
import { allCompleted, allEvents, build, deadlocks, heldTwice, leftAlone, startFarm } from '../harness/farm.ts';
import { buildSkep, endAll, until } from '../harness/process.ts';
import { card } from '../harness/story.ts';

beforeAll(buildSkep);
afterEach(endAll);

const titles = Array.from({ length: 10 }, (_, index) => ({ title: `part ${index + 1}` }));

test('ten tickets on two workers: all completed, none held twice, and both had a share', async () => {
  const farm = await startFarm();
  farm.worker('left', { slots: 2 });
  farm.worker('right', { slots: 2 });
  await build(farm, 'sleep 0.3; echo "$SKEP_TICKET_ID" > "$SKEP_TICKET_ID.txt"', card('ten', titles));
  const done = await until('all tickets completed', () => allCompleted(farm));
  expect(done.map(ticket => ticket.attempts)).toEqual(titles.map(() => 1));

  const events = await allEvents(farm);
  expect(heldTwice(events)).toEqual([]);
  expect(await leftAlone(farm)).toEqual([]);
  expect(deadlocks(farm)).toBe(0);
  const claims = events.filter(event => event.type === 'run.leased');
  expect(claims).toHaveLength(10);
  expect(new Set(claims.map(claim => claim.actor))).toEqual(new Set(['worker:left', 'worker:right']));
});

test('a ticket starts only when all that it depends on is completed', async () => {
  const farm = await startFarm();
  farm.worker('one', { slots: 4 });
  const features = [{ title: 'a' }, { title: 'b' }, { title: 'c', depends_on: ['a', 'b'] }, { title: 'd', depends_on: ['c'] }];
  await build(farm, 'date > "$SKEP_TICKET_ID.txt"', card('diamond', features));
  const done = await until('all tickets completed', () => allCompleted(farm));
  const events = await allEvents(farm);
  const when = (type: string, id: string) => events.findIndex(event => event.type === type && event.subject.id === id);
  for (const ticket of done) {
    for (const need of ticket.depends_on) expect(when('ticket.completed', need)).toBeLessThan(when('ticket.claimed', ticket.id));
  }
});
