import { rmSync } from 'node:fs';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/kernel/clock.ts';
import { query, type TestDatabase, testDatabase } from '../harness/database.ts';
import { allCompleted, allEvents, build, type Farm, heldTwice } from '../harness/farm.ts';
import { refuseOwnerless } from '../harness/ownerless.ts';
import { buildSkep, endAll, type SkepProcess, skep, tempFolder, until } from '../harness/process.ts';
import { callWith } from '../harness/server.ts';
import { card } from '../harness/story.ts';
import { refuseDrift } from '../replay/drift.ts';

beforeAll(buildSkep);
let place: TestDatabase;
beforeEach(async () => {
  place = await testDatabase();
});
afterEach(async () => {
  try {
    await refuseOwnerless(place.superuserUrl);
    await refuseDrift(place.superuserUrl);
  } finally {
    await endAll();
    await place.close();
  }
});

/** A short lease, so that a death is noticed within a test's patience. */
const quick = { SKEP_LEASE_MS: '2000', SKEP_HEARTBEAT_MS: '500', SKEP_RETRY_MS: '100' };

let token = '';
/** One of several servers on one database, each with an empty home of its own: they share nothing else. */
async function server(env: Readonly<Record<string, string>> = {}): Promise<Farm> {
  const home = tempFolder();
  const process = skep(['server', '--json'], { ...quick, SKEP_HOME: home, SKEP_PORT: '0', DATABASE_URL: place.ownerUrl, ...env });
  const ready = await process.line(line => line['event'] === 'ready');
  const url = String(ready['url']);
  // Said by the first of them alone.
  if (typeof ready['admin_token'] === 'string') token = ready['admin_token'];
  const farm: Omit<Farm, 'restart'> = {
    url,
    home,
    token,
    server: process,
    call: callWith(url, token),
    worker: (name, { slots = 1, url: at = url, env: more = {} } = {}) => worker(name, { slots, at, more }),
  };
  return { ...farm, restart: () => Promise.reject(new Error('these servers are not started again')) };
}

function worker(name: string, { slots, at, more }: { slots: number; at: string; more: Record<string, string> }): SkepProcess {
  const words = ['worker', '--json', '--server', at, '--name', name, '--slots', String(slots)];
  return skep(words, { SKEP_HOME: tempFolder(), SKEP_TOKEN: token, ...more });
}

const work = 'date > "$SKEP_TICKET_ID.txt"';
const two = [{ title: 'a' }, { title: 'b', depends_on: ['a'] }];

async function servers(): Promise<{ name: string; state: string; url: string }[]> {
  return query(place.superuserUrl, 'select name, state, url from skep.servers order by url');
}

/** What a person would see of a story that was told once: every ticket completed, no run held by two. */
async function toldOnce(farm: Farm): Promise<void> {
  const done = await until('all tickets completed', () => allCompleted(farm), 60_000);
  const events = await allEvents(farm);
  expect(heldTwice(events)).toEqual([]);
  for (const { id } of done)
    expect(events.filter(event => event.type === 'ticket.completed' && event.subject.id === id)).toHaveLength(1);
}

/** It does nothing until it is told to go on: what is to happen meanwhile happens elsewhere. */
async function frozen(): Promise<Farm> {
  const farm = await server();
  await farm.server.kill('SIGSTOP');
  return farm;
}

const takeOverMs = 60_000;

describe('kill -9 of a server, and another with an empty home takes over what it was doing', () => {
  test.each([
    ['it had received the work of a run', 'after-receive'],
    ['it was about to open the review', 'before-review-opened'],
    ['it was in the middle of a merge', 'before-land'],
    ['it was about to publish', 'before-publish'],
    ['it had published, and had not said so', 'after-publish'],
  ])(
    '%s',
    async (_, point) => {
      const doomed = await server({ SKEP_FAILPOINTS: `${point}:kill` });
      const heir = await frozen();
      doomed.worker('first', { slots: 2 });
      await build(doomed, work, card('take over', two));
      expect(await doomed.server.ended).toMatchObject({ signal: 'SIGKILL' });
      const since = systemClock.mono();
      rmSync(doomed.home, { recursive: true, force: true });
      await heir.server.kill('SIGCONT');
      heir.worker('second', { slots: 2 });
      await toldOnce(heir);
      expect(systemClock.mono() - since).toBeLessThan(takeOverMs);
      await until('only the heir is there', async () => ((await servers()).length === 1 ? true : undefined));
    },
    150_000,
  );
});

test('what one server took in, another with an empty home hands out: bundles, logs and the history of the branch', async () => {
  const first = await server();
  first.worker('first');
  await build(first, `echo said so; ${work}`, card('hand out', [{ title: 'a' }]));
  await toldOnce(first);
  await first.server.kill('SIGKILL');
  rmSync(first.home, { recursive: true, force: true });
  const second = await server();
  const get = (path: string) => fetch(`${second.url}${path}`, { headers: { authorization: `Bearer ${second.token}` } });
  const { body } = await second.call('GET', '/api/runs');
  const run = (body['runs'] as { id: string; subject_type: string }[]).find(({ subject_type }) => subject_type === 'ticket');
  expect(await (await get(`/api/runs/${run?.id}/log`)).text()).toContain('said so');
  const bundle = Buffer.from(await (await get(`/api/runs/${run?.id}/bundle`)).arrayBuffer());
  expect(String(bundle.subarray(0, 16))).toMatch(/^# v[23] git bundle/);
  second.worker('second');
  await build(second, work, card('hand out more', [{ title: 'b' }]));
  await toldOnce(second);
}, 150_000);

test('two servers at once, each with its worker: the work is shared out, and nothing is done twice', async () => {
  const [one, other] = [await server(), await server()];
  one.worker('one', { slots: 2 });
  other.worker('other', { slots: 2 });
  await build(
    one,
    `sleep 0.3; ${work}`,
    card(
      'share',
      Array.from({ length: 8 }, (_, i) => ({ title: `f${i}` })),
    ),
  );
  await toldOnce(other);
  const { body } = await one.call('GET', '/api/runs?limit=500');
  const holders = new Set((body['runs'] as { worker: string }[]).map(run => run.worker));
  expect(holders).toEqual(new Set(['one', 'other']));
  expect(await servers()).toMatchObject([{ state: 'active' }, { state: 'active' }]);
}, 150_000);
