import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { sandboxesIn } from '../harness/disks.ts';
import { allCompleted, allEvents, build, type EventView, type Farm, heldTwice, startFarm } from '../harness/farm.ts';
import { buildSkep, endAll, processesWith, type SkepProcess, until } from '../harness/process.ts';
import { card } from '../harness/story.ts';

beforeAll(buildSkep);
afterEach(endAll);

/** Unique on the whole machine, so that it is found among the processes. */
const nap = () => `30.${process.pid}${Math.floor(performance.now())}`;

/** The first attempt leaves a file that it has not committed, and sleeps; the next one goes on from there or fails. */
const interrupted = (seconds: string) => `
if [ "$SKEP_ATTEMPT" = 1 ]; then
  echo "half done" > draft.txt
  mkdir -p deep/er && echo x > deep/er/file
  exec sleep ${seconds}
fi
[ "$(cat draft.txt)" = "half done" ] && [ -f deep/er/file ] || { echo "the work is gone" >&2; exit 1; }
echo "all done" >> draft.txt`;

test('kill -9 of a worker: the next one on this machine brings the work home, and the next attempt goes on from it at once', async () => {
  // The lease is long: nothing but the word of the heir can end it in time.
  const farm = await startFarm({ SKEP_LEASE_MS: '120000' });
  const seconds = nap();
  const doomed = farm.worker('one');
  await build(farm, interrupted(seconds), card('worker dies', [{ title: 'a' }]));
  await until('the agent sleeps', () => (processesWith(`sleep ${seconds}`).length > 0 ? true : undefined));
  const before = sandboxesOf(farm);
  expect(before).toHaveLength(1);
  await doomed.kill('SIGKILL');

  const heir = farm.worker('one');
  await heir.line(line => line['event'] === 'started');
  const since = performance.now();
  await heir.line(line => line['event'] === 'claimed' && line['attempt'] === 2);
  const claimedMs = performance.now() - since;
  const [ticket] = await until('the ticket is completed', () => allCompleted(farm));
  expect(ticket?.attempts).toBe(2);
  // About a second where the machine has nothing else to do.
  expect(claimedMs).toBeLessThan(10_000);

  const events = await allEvents(farm);
  expect(ofRuns(events)).toEqual(['run.lost', 'run.carried']);
  expect(events.filter(({ type }) => type === 'run.rescued')).toHaveLength(1);
  expect(heldTwice(events)).toEqual([]);
  expect(await rescued(farm, events)).toMatch(/^# v2 git bundle\n/);
  await nothingIsLeft(farm, { before, heir, seconds });
}, 60_000);

test('kill -9 of a worker while the server is away: the work is kept, and told when the server is back', async () => {
  const farm = await startFarm({ SKEP_LEASE_MS: '120000' });
  const seconds = nap();
  const doomed = farm.worker('one');
  await build(farm, interrupted(seconds), card('both die', [{ title: 'a' }]));
  await until('the agent sleeps', () => (processesWith(`sleep ${seconds}`).length > 0 ? true : undefined));
  const before = sandboxesOf(farm);
  await Promise.all([doomed.kill('SIGKILL'), farm.server.kill('SIGKILL')]);

  const heir = farm.worker('one', { url: farm.url });
  const kept = join(workerHome(farm), 'worker/rescued');
  await until('the work is kept', () =>
    existsSync(kept) && readdirSync(kept).some(name => name.endsWith('.json')) ? true : undefined,
  );
  await expect.poll(() => sandboxesOf(farm)).toEqual([]);
  expect(readFileSync(join(kept, readdirSync(kept).find(name => name.endsWith('.bundle')) ?? ''), 'utf8')).toMatch(
    /^# v2 git bundle\n/,
  );

  const again = await farm.restart();
  await until('the ticket is completed', () => allCompleted(again), 60_000);
  const events = await allEvents(again);
  expect(ofRuns(events)).toEqual(['run.lost', 'run.carried']);
  await nothingIsLeft(farm, { before, heir, seconds });
}, 90_000);

test('a worker that was asleep for longer than its lease: it hands in what there was, and stops', async () => {
  const farm = await startFarm({ SKEP_LEASE_MS: '2000', SKEP_HEARTBEAT_MS: '500' });
  const seconds = nap();
  const sleeper = farm.worker('one');
  const script = `if [ "$SKEP_ATTEMPT" = 1 ]; then echo "half done" > draft.txt; exec sleep ${seconds}; fi; date > done.txt`;
  await build(farm, script, card('worker sleeps', [{ title: 'a' }]));
  await until('the agent sleeps', () => (processesWith(`sleep ${seconds}`).length > 0 ? true : undefined));
  await sleeper.kill('SIGSTOP');
  await until('the run is lost', async () => (await allEvents(farm)).find(({ type }) => type === 'run.lost'));
  await sleeper.kill('SIGCONT');
  await until('its work is brought home', async () => (await allEvents(farm)).find(({ type }) => type === 'run.rescued'));
  expect(processesWith(`sleep ${seconds}`)).toEqual([]);
  expect(await rescued(farm, await allEvents(farm))).toMatch(/^# v2 git bundle\n/);
  await until('the ticket is completed', () => allCompleted(farm));
  await nothingIsLeft(farm, { before: [], heir: sleeper, seconds });
}, 60_000);

const workerHome = (farm: Farm) => join(farm.home, 'workers/one');
const sandboxesOf = (farm: Farm) => sandboxesIn(join(workerHome(farm), 'sandboxes'));
const ofRuns = (events: readonly EventView[]) =>
  events.map(({ type }) => type).filter(type => /^run[.](lost|carried|failed)$/.test(type));

/** What a person gets of the work that was brought home. */
async function rescued(farm: Farm, events: readonly EventView[]): Promise<string> {
  const run = events.find(({ type }) => type === 'run.rescued')?.subject.id ?? '';
  const { body, status } = await farm.call('GET', `/api/runs/${run}/rescue`);
  return status === 200 ? String(body['text']) : `${status}`;
}

/** No folder, note, bundle, process, mount or cgroup. */
async function nothingIsLeft(
  farm: Farm,
  { before, heir, seconds }: { before: readonly string[]; heir: SkepProcess; seconds: string },
): Promise<void> {
  await until('no run is noted any more', () =>
    readdirSync(join(workerHome(farm), 'worker/notes')).length === 0 ? true : undefined,
  );
  // What the dead one had ready goes with the rest of its things, beside the runs.
  await expect.poll(() => sandboxesOf(farm)).toEqual([]);
  expect(readdirSync(join(workerHome(farm), 'worker/rescued'))).toEqual([]);
  expect(processesWith(`sleep ${seconds}`)).toEqual([]);
  for (const name of before) {
    expect(processesWith(name)).toEqual([]);
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(name);
  }
  await heir.kill('SIGTERM');
}
