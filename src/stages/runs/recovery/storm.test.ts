import { describe, expect, test } from 'vitest';
import { type Stages, useStages } from '../../../../test/harness/stages.ts';
import type { FailureClass } from '../../../../contract/runs.ts';
import { getBrake, liftBrake, pullBrake } from '../../../support/fleet/index.ts';
import { createProject } from '../../../support/projects/verbs.ts';
import { systemClock } from '../../../kernel/clock.ts';
import { silentLog } from '../../../kernel/log.ts';
import type { ClaimedRun } from '../queue/claim.ts';
import { failRun, submitRun } from '../verbs.ts';
import { buryRun } from './lose.ts';
import { createStormWatch, watchStorms } from './storm.ts';

let stages: Stages;
useStages(made => (stages = made));

const watch = (stormFailures = 10) => watchStorms(stages.database, { stormFailures });
const brake = async () => {
  const row = await stages.app(getBrake);
  return row === undefined ? 'none' : `${row.state} ${row.pulls}`;
};
const told = async () =>
  (await stages.sql<{ type: string }>(`select type from events where type like 'brake.%' order by id`)).map(({ type }) => type);
/** For how long the brake holds, in whole seconds. */
const holds = async () => {
  const [row] = await stages.sql<{ s: number }>('select round(extract(epoch from due_at - pulled_at))::int as s from brakes');
  return row?.s;
};
/** The brake's time has come. */
const due = () => stages.sql(`update brakes set due_at = clock_timestamp() where due_at is not null`);
const holderOf = ({ run, token }: ClaimedRun) => ({ runId: run.id, token });
const fail = (claimed: ClaimedRun, failureClass: FailureClass) =>
  stages.engine(tx => failRun(tx, holderOf(claimed), { failureClass, message: '', settings: stages.settings }));
const handIn = (claimed: ClaimedRun) => stages.engine(tx => submitRun(tx, holderOf(claimed), { summary: '' }));

/** Runs of so many tickets end in turn. */
async function endings(tickets: number, ends: readonly (FailureClass | 'good')[]): Promise<void> {
  const ids: string[] = [];
  for (let i = 0; i < tickets; i++) ids.push(await stages.open());
  for (const [i, how] of ends.entries()) {
    await stages.drain();
    const ticketId = ids[i % tickets];
    const claimed = (await stages.claim({ ticketId })) ?? (await stages.claimNew());
    await (how === 'good' ? handIn(claimed) : fail(claimed, how));
  }
  await stages.drain();
}

const times = <T>(count: number, what: T): T[] => Array.from({ length: count }, () => what);

describe('a storm', () => {
  test('pulls the brake, once however many watch, and says what it saw', async () => {
    await endings(3, [...times(4, 'network' as const), ...times(6, 'sandbox' as const)]);
    await Promise.all(times(5, 0).map(() => watch()));
    expect([await brake(), await told(), await holds()]).toEqual(['on 1', ['brake.pulled'], 60]);
    const row = await stages.app(getBrake);
    expect(row).toMatchObject({
      pulledBy: 'storm',
      reason: '10 of 10 runs that ended within a minute broke off, most of them: sandbox',
    });
    expect(await stages.claim()).toBeUndefined();
  });

  test.each([
    ['too few', times(9, 'network' as const), 10],
    ['half of all that ended', [...times(10, 'agent_failed' as const), ...times(10, 'network' as const)], 10],
    ['what agents do', times(10, 'agent_failed' as const), 5],
    ['what is handed back by a worker that stops', times(10, 'stopped' as const), 5],
  ] as const)('is none: %s', async (_, ends, failures) => {
    await endings(4, ends);
    await watch(failures);
    expect(await brake()).toBe('none');
  });

  test('of two tickets is none while there are others, and one when there are none', async () => {
    await endings(2, times(6, 'network' as const));
    const other = await stages.claimNew();
    await watch(5);
    expect(await brake()).toBe('none');
    await stages.sql(`update runs set state = 'cancelled', lease_expires_at = null, ended_at = now() where id = $1`, [
      other.run.id,
    ]);
    await stages.sql(`update tickets set status = 'cancelled' where id = $1`, [other.run.subjectId]);
    await watch(5);
    expect(await brake()).toBe('on 1');
  });

  test('of one project is none while another has work, and one when it fails there too', async () => {
    const agent = { kind: 'exec' as const, command: ['true'] };
    const { id: projectId } = await stages.app(tx => createProject(tx, { name: 'other', agent }));
    const other = await stages.open({ projectId });
    await endings(3, times(10, 'repository' as const));
    await watch();
    expect(await brake()).toBe('none');
    const claimed = await stages.claim({ ticketId: other });
    if (claimed !== undefined) await fail(claimed, 'repository');
    await stages.drain();
    await watch();
    expect(await brake()).toBe('on 1');
  });

  test.each([
    ['is none where one worker with many slots has died', () => 'w', 'none'],
    ['is one where many workers have', (slot: number) => `w${slot}`, 'on 1'],
  ])('%s', async (_, workerOf, expected) => {
    const held: ClaimedRun[] = [];
    for (let slot = 0; slot < 12; slot++) {
      const ticketId = await stages.open();
      await stages.drain();
      const claimed = await stages.claim({ ticketId, worker: workerOf(slot) });
      if (claimed !== undefined) held.push(claimed);
    }
    for (const { run } of held)
      await stages.engine(tx => buryRun(tx, run.id, { fence: run.fence ?? 0, settings: stages.settings }));
    await stages.drain();
    await watch();
    expect([held.length, await brake()]).toEqual([12, expected]);
  });

  test('that is over for a minute is none', async () => {
    await endings(3, times(5, 'network' as const));
    await stages.sql(`update runs set ended_at = ended_at - interval '61 seconds'`);
    await watch(5);
    expect(await brake()).toBe('none');
  });

  test('of one tenant is nothing to another', async () => {
    const them = await stages.makeTenant('them');
    await endings(3, times(5, 'provider' as const));
    await watch(5);
    expect([await stages.app(getBrake, them), await brake()]).toEqual([undefined, 'on 1']);
  });

  test('that a person has waved through does not pull again for the same failures', async () => {
    await endings(3, times(5, 'network' as const));
    await watch(5);
    await stages.engine(tx => liftBrake(tx));
    await watch(5);
    expect(await brake()).toBe('off 0');
  });
});

describe('a brake that a storm has pulled', () => {
  async function pulled(): Promise<void> {
    await endings(3, times(5, 'network' as const));
    await watch(5);
    expect(await brake()).toBe('on 1');
  }

  async function trying(): Promise<ClaimedRun> {
    await due();
    await Promise.all([watch(), watch()]);
    expect(await brake()).toMatch(/^trying/);
    await stages.sql(`update runs set due_at = clock_timestamp() where state = 'queued'`);
    const claimed = await stages.claim();
    if (claimed === undefined) throw new Error('nothing may be claimed');
    // One at a time.
    expect(await stages.claim()).toBeUndefined();
    return claimed;
  }

  test('holds until its time, then one run at a time shows whether things work again: they do', async () => {
    await pulled();
    await watch();
    expect(await brake()).toBe('on 1');
    const claimed = await trying();
    await watch();
    expect(await brake()).toBe('trying 1');
    await handIn(claimed);
    await Promise.all([watch(), watch()]);
    expect([await brake(), await told()]).toEqual(['off 0', ['brake.pulled', 'brake.eased', 'brake.lifted']]);
    await stages.drain();
    expect(await stages.claim()).toBeDefined();
  });

  test('they do not: it is pulled again, twice as long each time, up to 15 minutes', async () => {
    await pulled();
    const held = [await holds()];
    for (let pulls = 2; pulls <= 6; pulls++) {
      await fail(await trying(), 'network');
      await stages.drain();
      await Promise.all([watch(), watch()]);
      expect(await brake()).toBe(`on ${pulls}`);
      held.push(await holds());
      // Failures that a person has let go on: what counts here is the brake and not the ticket.
      await stages.sql(`update runs set resumed = true where state = 'failed'`);
    }
    expect(held).toEqual([60, 120, 240, 480, 900, 900]);
  });

  test('a failure of an agent shows that things work; what a stopping worker hands back shows nothing', async () => {
    await pulled();
    const first = await trying();
    await fail(first, 'stopped');
    await stages.drain();
    await watch();
    expect(await brake()).toBe('trying 1');
    const second = await stages.claim();
    if (second !== undefined) await fail(second, 'no_changes');
    await watch();
    expect(await brake()).toBe('off 0');
    await stages.drain();
  });
});

test('a person who lifts the brake while a failure is judged has the last word', async () => {
  await endings(3, times(5, 'network' as const));
  await watch(5);
  await due();
  await watch();
  await stages.sql(`update runs set due_at = clock_timestamp() where state = 'queued'`);
  const claimed = await stages.claim();
  if (claimed === undefined) throw new Error('nothing may be claimed');
  await fail(claimed, 'network');
  await stages.drain();
  let isDone = false;
  let judging: Promise<void> | undefined;
  await stages.app(async tx => {
    await liftBrake(tx);
    judging = watch().finally(() => (isDone = true));
    const waiting = `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
    while (!isDone && (await stages.sql(waiting)).length === 0);
  });
  await judging;
  expect([await brake(), (await told()).at(-1)]).toEqual(['off 0', 'brake.lifted']);
});

test('a brake that a person has pulled stays until a person lifts it', async () => {
  await stages.engine(tx => pullBrake(tx, { reason: 'maintenance', by: 'ada', dueMs: null }));
  await watch(1);
  expect([await brake(), await told()]).toEqual(['on 1', ['brake.pulled']]);
});

test('the watch looks by itself, and stops', async () => {
  await endings(3, times(5, 'network' as const));
  const loop = createStormWatch({
    database: stages.database,
    settings: { stormFailures: 5 },
    clock: systemClock,
    log: silentLog,
  });
  loop.start();
  await expect.poll(brake, { timeout: 5_000 }).toBe('on 1');
  await loop.stop();
});
