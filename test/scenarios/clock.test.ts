import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { startEmbedded } from '../../src/db/embedded/index.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { allEvents, build, type Farm, heldTwice, startFarm, tickets } from '../harness/farm.ts';
import { hasFaketime, hasOwnClock, type WallClock, wallClock } from '../harness/faketime.ts';
import { buildSkep, endAll, type SkepProcess, tempFolder, until } from '../harness/process.ts';
import { card } from '../harness/story.ts';

beforeAll(buildSkep);
afterEach(endAll);

const leaseMs = 2_000;
const hour = 3_600;
/** Longer than the jumps: nothing but a clock that is believed brings it about. */
const retryMs = 1_800_000;
/** How long it works on in the changed time: some leases, and some heartbeats. */
const afterJumpMs = 2 * leaseMs;

interface Stand {
  readonly farm: Farm;
  readonly worker: SkepProcess;
  readonly clocks: Readonly<Record<'server' | 'worker', WallClock>>;
}

/** Server and worker have each a wall clock of their own; the database keeps the machine's. */
async function stand(): Promise<Stand> {
  const folder = tempFolder();
  const home = tempFolder();
  await startEmbedded({ home, clock: systemClock, log: silentLog });
  const clocks = { server: wallClock(folder, 'server'), worker: wallClock(folder, 'worker') };
  const settings = { SKEP_LEASE_MS: String(leaseMs), SKEP_HEARTBEAT_MS: '500', SKEP_RETRY_MS: String(retryMs) };
  const farm = await startFarm({ ...settings, ...clocks.server.env }, home);
  const worker = farm.worker('w', { slots: 2, env: { ...clocks.worker.env } });
  await worker.line(line => line['event'] === 'started');
  expect([hasOwnClock(farm.server.pid), hasOwnClock(worker.pid), hasOwnClock(postmaster(home))]).toEqual([true, true, false]);
  return { farm, worker, clocks };
}

function postmaster(home: string): number {
  return Number(readFileSync(join(home, 'postgres', 'data', 'postmaster.pid'), 'utf8').split('\n')[0]);
}

/** Seconds by which the server's wall clock is off. */
async function offset({ url }: Farm): Promise<number> {
  const answer = await fetch(`${url}/health`);
  return Math.round((Date.parse(answer.headers.get('date') ?? '') - Date.now()) / 1_000);
}

/** One that works until it is told to end, and one that fails at once. */
const script = `
  if [ "$(node -p 'JSON.parse(require("fs").readFileSync(process.env.SKEP_TICKET)).title')" = fails ]; then exit 1; fi
  sleep ${(afterJumpMs * 5) / 1_000}
  date > "$SKEP_TICKET_ID.txt"`;

describe.skipIf(!hasFaketime)('a wall clock that jumps while a run works', () => {
  test.each<['server' | 'worker']>([['server'], ['worker']])(
    'of the %s, by an hour to and fro: no lease ends, nothing is lost or done early or twice',
    { timeout: 120_000 },
    async whose => {
      const { farm, clocks } = await stand();
      const began = Date.now();
      const token = (await farm.call('POST', '/api/tokens', { name: 'half an hour', role: 'viewer', expires_in_s: hour / 2 }))
        .body;
      await build(farm, script, card(`clock of the ${whose}`, [{ title: 'works' }, { title: 'fails' }]));
      const typed = async (type: string) => (await allEvents(farm)).filter(event => event.type === type);
      await until('one works and one has failed', async () =>
        (await typed('run.started')).length === 2 && (await typed('run.failed')).length === 1 ? true : undefined,
      );
      for (const seconds of [hour, -hour, 0]) {
        clocks[whose].jump(seconds);
        await systemClock.sleep(afterJumpMs);
        expect(Math.abs((await offset(farm)) - (whose === 'server' ? seconds : 0))).toBeLessThan(5);
        expect((await fetch(`${farm.url}/api/projects`, { headers: bearer(token['secret']) })).status).toBe(200);
      }
      const done = await until('the work is completed', async () => {
        const all = await tickets(farm);
        return all.some(({ status }) => status === 'completed') ? all : undefined;
      });
      expect(done.map(({ title, status, attempts }) => `${title}: ${status}, ${attempts}`).sort()).toEqual([
        'fails: ready, 1',
        'works: completed, 1',
      ]);
      const events = await allEvents(farm);
      const ofRuns = (...types: string[]) => events.filter(({ type }) => types.includes(type)).length;
      expect([ofRuns('run.lost'), ofRuns('run.submitted'), ofRuns('ticket.completed') > 0]).toEqual([0, 1, true]);
      expect(heldTwice(events)).toEqual([]);
      const times = events.map(({ at }) => Date.parse(at));
      expect([Math.min(...times) > began - 60_000, Math.max(...times) <= Date.now() + 1_000]).toEqual([true, true]);
    },
  );
});

function bearer(secret: unknown): Record<string, string> {
  return { authorization: `Bearer ${String(secret)}` };
}
