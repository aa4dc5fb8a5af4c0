import { afterEach, beforeAll, expect, test } from 'vitest';
import { allCompleted, allEvents, build, heldTwice, leftAlone, startFarm } from '../harness/farm.ts';
import { buildSkep, endAll, processesWith, until } from '../harness/process.ts';
import { card } from '../harness/story.ts';

beforeAll(buildSkep);
afterEach(endAll);

/** A short lease, so that a death is noticed within a test's patience. */
const quick = { SKEP_LEASE_MS: '2000', SKEP_HEARTBEAT_MS: '500', SKEP_RETRY_MS: '100' };
const four = [{ title: 'a' }, { title: 'b' }, { title: 'c', depends_on: ['a'] }, { title: 'd', depends_on: ['b', 'c'] }];

/** Unique on the whole machine, so that it is found among the processes. */
const nap = (seconds: number) => `${seconds}.${process.pid}${Math.floor(performance.now())}`;

test('kill -9 of the server: it starts again at once and all work is completed, nothing twice', async () => {
  const farm = await startFarm(quick);
  farm.worker('survivor', { slots: 2 });
  await build(farm, 'sleep 0.5; date > "$SKEP_TICKET_ID.txt"', card('server dies', four));
  await until('something runs', async () => (await allEvents(farm)).find(event => event.type === 'run.started'));
  await farm.server.kill('SIGKILL');
  const again = await farm.restart();
  await until('all tickets completed', () => allCompleted(again));
  const events = await allEvents(again);
  expect(heldTwice(events)).toEqual([]);
  expect(await leftAlone(farm)).toEqual([]);
  expect(events.filter(event => event.type === 'ticket.completed' && event.subject.id !== 'TKT-005')).toHaveLength(4);
});

test('kill -9 of a worker: its sandbox dies with it, and another worker completes the work', async () => {
  const farm = await startFarm(quick);
  const doomed = farm.worker('doomed');
  const seconds = nap(30);
  const script = `if [ "$SKEP_ATTEMPT" = 1 ]; then sleep ${seconds}; fi; date > "$SKEP_TICKET_ID.txt"`;
  await build(farm, script, card('worker dies', [{ title: 'a' }]));
  await until('the agent sleeps in its sandbox', () => (processesWith(`sleep ${seconds}`).length > 0 ? true : undefined));
  await doomed.kill('SIGKILL');
  await until('the sandbox is gone', () => (processesWith(`sleep ${seconds}`).length === 0 ? true : undefined), 2_000);
  farm.worker('heir');
  const [ticket] = await until('all tickets completed', () => allCompleted(farm));
  expect(ticket?.attempts).toBe(2);
  const events = await allEvents(farm);
  expect(events.filter(event => event.type === 'run.lost')).toHaveLength(1);
  expect(heldTwice(events)).toEqual([]);
  expect(await leftAlone(farm)).toEqual([]);
});

test('kill -9 of the sandboxed command: noticed at once, said why, and run again', async () => {
  const farm = await startFarm(quick);
  farm.worker('steady');
  const seconds = nap(30);
  // exec: the sleep is the agent itself and not its child.
  const script = `if [ "$SKEP_ATTEMPT" = 1 ]; then exec sleep ${seconds}; fi; date > "$SKEP_TICKET_ID.txt"`;
  await build(farm, script, card('command dies', [{ title: 'a' }]));
  const command = `sleep ${seconds}`;
  const pids = await until('the agent sleeps', () => {
    const found = processesWith(command);
    return found.length > 0 ? found : undefined;
  });
  for (const pid of pids) process.kill(pid, 'SIGKILL');
  const failed = await until(
    'the run is failed',
    async () => (await allEvents(farm)).find(event => event.type === 'run.failed'),
    5_000,
  );
  expect(failed.payload).toMatchObject({ class: 'agent_died', message: expect.stringContaining('SIGKILL') });
  const [ticket] = await until('all tickets completed', () => allCompleted(farm));
  expect(ticket?.attempts).toBe(2);
});
