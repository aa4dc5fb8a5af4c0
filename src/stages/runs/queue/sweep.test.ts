import { afterEach, beforeEach, expect, test } from 'vitest';
import { createGate } from '../../../../test/harness/gate.ts';
import { type Stages, stagesForTests } from '../../../../test/harness/stages.ts';
import { statement } from '../../../db/statement.ts';
import { type Clock, systemClock } from '../../../kernel/clock.ts';
import { silentLog } from '../../../kernel/log.ts';
import type { Lifecycle } from '../../../kernel/loop.ts';
import { startBuild } from '../../tickets/build.ts';
import { inWorkWithoutRun } from '../runs.sql.ts';
import { returnClaim } from '../verbs.ts';
import { nets } from '../../../flow.ts';
import { createNets, createSweep, type Net } from './sweep.ts';

let stages: Stages;
let loops: Lifecycle[];
beforeEach(async () => {
  stages = await stagesForTests();
  loops = [];
});
afterEach(async () => {
  await Promise.all(loops.map(loop => loop.stop()));
  await stages.close();
});

function start(create: typeof createNets): void {
  const { database, settings, parts } = stages;
  const loop = create({ database, nets: nets(parts), settings, clock: systemClock, log: silentLog });
  loops.push(loop);
  loop.start();
}

/** As if all of it had happened a minute ago. */
async function age(): Promise<void> {
  await stages.sql(`update tickets set updated_at = updated_at - interval '1 minute'`);
  await stages.sql(`update runs set leased_at = leased_at - interval '1 minute', ended_at = ended_at - interval '1 minute'`);
}

test('the nets queue a ready ticket whose job was lost', async () => {
  await stages.open();
  await stages.drain();
  const id = await stages.open();
  await stages.sql('delete from graphile_worker._private_jobs');
  await age();
  start(createNets);
  const queued = () => stages.sql('select state from runs where ticket_id = $1', [id]);
  await expect.poll(queued, { timeout: 5_000 }).toEqual([{ state: 'queued' }]);
  expect(await stages.statusOf(id)).toBe('ready');
});

test('the nets send back a ticket whose run is gone, and leave alone an epic and a ticket whose run lives', async () => {
  const session = await stages.approved({ name: 'n', features: [{ title: 'a' }, { title: 'b' }] });
  const { epicId } = await stages.app(tx => startBuild(tx, session));
  await stages.drain();
  const gone = await stages.claim({ ticketId: 'TKT-001' });
  const lives = await stages.claim({ ticketId: 'TKT-002' });
  await stages.sql(`update runs set state = 'cancelled', lease_expires_at = null, ended_at = now() where id = $1`, [
    gone?.run.id,
  ]);
  await age();
  const found = await stages.database.enginePool.query(inWorkWithoutRun, [1_000]);
  expect(found).toEqual([{ tenantId: stages.tenantId, id: 'TKT-001' }]);
  start(createNets);
  await expect.poll(() => stages.statusOf('TKT-001'), { timeout: 5_000 }).toBe('ready');
  expect(await stages.statusOf('TKT-002')).toBe('claimed');
  expect(await stages.statusOf(epicId)).toBe('running');
  expect(lives?.run.state).toBe('leased');
});

test('one row that cannot be moved holds up no other', async () => {
  const first = await stages.claimNew();
  const second = await stages.claimNew();
  // The first can never be moved: its ticket's next status breaks a constraint that only this test has.
  await stages.sql(`alter table tickets add constraint stuck check (id <> '${first.run.subjectId}' or status <> 'ready')`);
  await stages.expire(first.run.id);
  await stages.expire(second.run.id);
  start(createSweep);
  await expect.poll(() => stages.statusOf(second.run.subjectId), { timeout: 5_000 }).toBe('ready');
  expect(await stages.statusOf(first.run.subjectId)).toBe('claimed');
});

test.each([
  { looksMs: 500, restsMs: 50 * 1_000 - 5_000, what: 'fifty times as long' },
  { looksMs: 7_000, restsMs: 95_000, what: 'no longer than 100 s' },
  { looksMs: 0, restsMs: 5_000, what: 'five seconds' },
])('nets of which each took $looksMs ms to look rest $what before the next look', async ({ looksMs, restsMs }) => {
  const { database, settings } = stages;
  const rests: number[] = [];
  let nowMs = 0;
  const clock: Clock = {
    ...{ now: systemClock.now, mono: () => nowMs },
    async sleep(ms, signal) {
      if (ms === 0) return;
      rests.push(ms);
      await systemClock.sleep(60_000, signal);
    },
  };
  const look = () => Promise.resolve([]).finally(() => void (nowMs += looksMs));
  const slow = { ...database, enginePool: { ...database.enginePool, query: look } };
  const loop = createNets({ database: slow, nets: [], settings, clock, log: silentLog });
  loops.push(loop);
  loop.start();
  // Both look at once, so each takes as long as both; what is counted here comes before the usual rest.
  await expect.poll(() => rests.length).toBe(2);
  expect(Math.min(...rests)).toBe(restsMs);
});

test('a net that waits for somebody’s repository holds up no other', async () => {
  await stages.open();
  await stages.drain();
  const id = await stages.open();
  await stages.sql('delete from graphile_worker._private_jobs');
  await age();
  const [begun, goOn] = [createGate(), createGate()];
  const slow: Net = {
    find: statement('one_row', `select tenant_id, id from tickets where $1::int > 0 limit 1`),
    mend() {
      begun.open();
      return goOn.passed;
    },
  };
  const { database, settings } = stages;
  const loop = createNets({ database, nets: [slow], settings, clock: systemClock, log: silentLog });
  const stop = (): Promise<void> => {
    goOn.open();
    return loop.stop();
  };
  loops.push({ start: loop.start, stop });
  // The first turn of the others may come before it: what they are to find is there only once it waits.
  await stages.sql(`update tickets set status = 'pending' where id = $1`, [id]);
  loop.start();
  await begun.passed;
  await stages.sql(`update tickets set status = 'ready' where id = $1`, [id]);
  const queued = () => stages.sql('select state from runs where ticket_id = $1', [id]);
  await expect.poll(queued, { timeout: 12_000 }).toEqual([{ state: 'queued' }]);
});

test('a claim that reached nobody is given back: no attempt was made, and its token is worth nothing', async () => {
  const { run, token } = await stages.claimNew();
  const holder = { runId: run.id, token };
  await stages.engine(tx => returnClaim(tx, holder, stages.settings));
  await stages.engine(tx => returnClaim(tx, holder, stages.settings));
  await stages.drain();
  expect(await stages.sql('select state, worker from runs')).toEqual([{ state: 'queued', worker: null }]);
  expect(await stages.sql('select status, attempts from tickets')).toEqual([{ status: 'ready', attempts: 0 }]);
  const again = await stages.claim();
  expect(again?.run.id).toBe(run.id);
  expect(again?.run.fence).toBeGreaterThan(run.fence ?? 0);
  expect(await stages.ownerless()).toEqual([]);
});
