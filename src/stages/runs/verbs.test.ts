import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { failureClasses } from '../../../contract/runs.ts';
import { type Stages, stagesForTests, testSettings, useStages } from '../../../test/harness/stages.ts';
import { reviewSubmission } from '../reviews/index.ts';
import { cancelTicket, retryTicket } from '../tickets/index.ts';
import type { Holder } from './holder.ts';
import type { ClaimedRun } from './queue/claim.ts';
import { queueRun } from './queue/queue.ts';
import { listRuns } from './reads.ts';
import { appendLog, readLog } from './uploads.ts';
import { loseRun } from './recovery/lose.ts';
import { acceptRun, cancelRun, failRun, getRun, progress, submitRun } from './verbs.ts';

let stages: Stages;
useStages(made => (stages = made));

const holderOf = ({ run, token }: ClaimedRun): Holder => ({ runId: run.id, token });
const submit = (claimed: ClaimedRun, summary = 's') => stages.engine(tx => submitRun(tx, holderOf(claimed), { summary }));
const fail = (claimed: ClaimedRun, failureClass: (typeof failureClasses)[number] = 'agent_failed', message = 'm') =>
  stages.engine(tx => failRun(tx, holderOf(claimed), { failureClass, message, settings: stages.settings }));
const cancel = (claimed: ClaimedRun) => stages.engine(tx => cancelRun(tx, claimed.run.id));
const lose = (claimed: ClaimedRun) => stages.engine(tx => loseRun(tx, claimed.run.id, stages.settings));
const ticketOf = async ({ run }: ClaimedRun) =>
  (
    await stages.sql<{ status: string; reason: string | null }>(
      'select status, status_reason as reason from tickets where id = $1',
      [run.subjectId],
    )
  )[0];
const stateOf = async ({ run }: ClaimedRun) => (await stages.app(tx => getRun(tx, run.id))).state;
const events = async (type: string) => (await stages.sql('select from events where type = $1', [type])).length;

describe('a run from claim to verdict', () => {
  test('takes its ticket along: claimed, running, verifying, completed as unproven', async () => {
    const claimed = await stages.claimNew();
    const work = (state: 'starting' | 'working') =>
      stages.engine(tx => progress(tx, holderOf(claimed), { state, sandbox: 'box', leaseMs: 15_000 }));
    expect((await work('starting')).state).toBe('starting');
    expect((await ticketOf(claimed))?.status).toBe('claimed');
    expect((await work('working')).state).toBe('working');
    expect((await ticketOf(claimed))?.status).toBe('running');
    // What is behind already is said in vain.
    expect((await work('starting')).state).toBe('working');
    expect((await work('working')).state).toBe('working');
    await submit(claimed);
    expect((await ticketOf(claimed))?.status).toBe('verifying');
    await stages.drain();
    expect(await stateOf(claimed)).toBe('accepted');
    expect(await stages.sql('select status, proof, attempts from tickets')).toEqual([
      { status: 'completed', proof: 'unproven', attempts: 1 },
    ]);
    expect([await events('run.started'), await events('ticket.running'), await events('ticket.completed')]).toEqual([1, 1, 1]);
  });

  test('a completion said twice answers the same, also after the verdict, and is stored once', async () => {
    const claimed = await stages.claimNew();
    const first = await submit(claimed);
    expect(await submit(claimed, 'another word')).toEqual(first);
    await stages.drain();
    const later = await submit(claimed, 'another word');
    expect(later).toEqual({ ...first, state: 'accepted', endedAt: later.endedAt });
    expect(later.result).toEqual({ summary: 's' });
    expect([await events('run.submitted'), await events('run.accepted')]).toEqual([1, 1]);
  });

  test('20 completions at once are one', async () => {
    const claimed = await stages.claimNew();
    const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => submit(claimed, `s${i}`)));
    expect(new Set(answers.map(run => JSON.stringify(run.result))).size).toBe(1);
    expect(await events('run.submitted')).toBe(1);
    await stages.drain();
  });

  test('a failure said twice answers the same and costs one attempt', async () => {
    const claimed = await stages.claimNew();
    const first = await fail(claimed, 'timeout', 'slow');
    expect(await fail(claimed, 'agent_failed', 'another word')).toEqual(first);
    expect([await events('run.failed'), await ticketOf(claimed)]).toEqual([
      1,
      { status: 'ready', reason: 'attempt 1: timeout: slow' },
    ]);
    await expect(submit(claimed)).rejects.toMatchObject({ code: 'lease_lost', facts: { state: 'failed' } });
    await stages.drain();
    expect(await fail(claimed)).toEqual(first);
  });

  test('a verdict comes once, and none after a cancellation', async () => {
    const claimed = await stages.claimNew();
    await submit(claimed);
    await Promise.all(Array.from({ length: 5 }, () => reviewSubmission(stages.parts, stages.tenantId, claimed.run.id)));
    expect(await events('run.accepted')).toBe(1);
    await stages.drain();
    await expect(cancel(claimed)).rejects.toMatchObject({ code: 'wrong_state', facts: { currentState: 'accepted' } });
  });
});

describe('cancellation', () => {
  test('of a run against its completion: one of them wins, 50 rounds', async () => {
    const wins = { cancelled: 0, accepted: 0 };
    for (let round = 0; round < 50; round++) {
      const claimed = await stages.claimNew();
      const both = [submit(claimed), cancel(claimed)];
      const told = await Promise.allSettled(round % 2 === 0 ? both : both.reverse());
      await stages.drain();
      const state = await stateOf(claimed);
      const ticket = await ticketOf(claimed);
      expect([round, state, ticket?.status]).toSatisfy(() =>
        ['cancelled failed', 'accepted completed'].includes(`${state} ${ticket?.status}`),
      );
      // A completion that was followed by the cancellation of what was handed in was heard, and so was the cancellation.
      expect(told.some(each => each.status === 'fulfilled')).toBe(true);
      wins[state as keyof typeof wins]++;
    }
    expect(wins.cancelled + wins.accepted).toBe(50);
  });

  test('of a ticket against the completion of its run: one of them wins, 50 rounds', async () => {
    for (let round = 0; round < 50; round++) {
      const claimed = await stages.claimNew();
      const cancelled = stages.app(tx => cancelTicket(tx, claimed.run.subjectId, { reason: 'r', cascade: false }));
      await Promise.allSettled([cancelled, submit(claimed)]);
      await stages.drain();
      const both = `${await stateOf(claimed)} ${(await ticketOf(claimed))?.status}`;
      expect([round, both]).toSatisfy(() => ['cancelled cancelled', 'accepted completed'].includes(both));
    }
  });

  test('of a ticket is heard by the completion that comes after it, before the flow has withdrawn the run', async () => {
    const claimed = await stages.claimNew();
    await stages.app(tx => cancelTicket(tx, claimed.run.subjectId, { reason: 'r', cascade: false }));
    await expect(submit(claimed)).rejects.toMatchObject({ code: 'lease_lost', facts: { state: 'cancelled' } });
    expect([await stateOf(claimed), await events('run.submitted')]).toEqual(['leased', 0]);
    await stages.drain();
    expect(await stateOf(claimed)).toBe('cancelled');
  });

  test('of a ticket is heard by the verdict that comes after it', async () => {
    const claimed = await stages.claimNew();
    await submit(claimed);
    await stages.app(tx => cancelTicket(tx, claimed.run.subjectId, { reason: 'r', cascade: false }));
    await stages.drain();
    expect([await stateOf(claimed), await events('run.accepted')]).toEqual(['cancelled', 0]);
    await stages.engine(tx => acceptRun(tx, claimed.run.id));
    expect([await stateOf(claimed), await events('run.accepted')]).toEqual(['cancelled', 0]);
  });

  test('of a queued run, whose ticket then waits for a person', async () => {
    const id = await stages.open();
    await stages.drain();
    const [row] = await stages.sql<{ id: string }>('select id from runs');
    await stages.engine(tx => cancelRun(tx, row?.id ?? ''));
    expect(await stages.claim()).toBeUndefined();
    expect(await stages.statusOf(id)).toBe('failed');
    await stages.app(tx => retryTicket(tx, id));
    await stages.drain();
    expect((await stages.claim())?.run).toMatchObject({ subjectId: id, attempt: 2 });
  });

  test('ends the lease of the holder', async () => {
    const claimed = await stages.claimNew();
    await cancel(claimed);
    await expect(submit(claimed)).rejects.toMatchObject({ code: 'lease_lost', facts: { state: 'cancelled' } });
    await expect(fail(claimed)).rejects.toMatchObject({ code: 'lease_lost', facts: { state: 'cancelled' } });
  });
});

describe('attempts', () => {
  test('a silent holder: the ticket is ready again and its next run has the greater fence', async () => {
    const first = await stages.claimNew();
    expect(await lose(first)).toBe(false);
    await stages.expire(first.run.id);
    expect([await lose(first), await lose(first)]).toEqual([true, false]);
    expect(await ticketOf(first)).toEqual({ status: 'ready', reason: 'attempt 1: the worker fell silent' });
    await stages.drain();
    const second = await stages.claim();
    expect(second?.run).toMatchObject({ subjectId: first.run.subjectId, attempt: 2 });
    expect(second?.run.fence).toBeGreaterThan(first.run.fence ?? Infinity);
  });

  test('ten sweeps at once take a lease back once', async () => {
    const claimed = await stages.claimNew();
    await stages.expire(claimed.run.id);
    const taken = await Promise.all(Array.from({ length: 10 }, () => lose(claimed)));
    expect(taken.filter(Boolean)).toHaveLength(1);
    expect(await events('run.lost')).toBe(1);
    await stages.drain();
  });

  test('of an agent end after three with the last reason; a silent holder uses up none', async () => {
    const first = await stages.claimNew();
    await fail(first);
    await stages.drain();
    const second = await stages.claim();
    await stages.expire(second?.run.id ?? '');
    if (second !== undefined) await lose(second);
    await stages.drain();
    const third = await stages.claim();
    if (third !== undefined) await fail(third, 'timeout');
    await stages.drain();
    const fourth = await stages.claim();
    if (fourth !== undefined) await fail(fourth, 'no_changes', 'nothing done');
    expect(fourth?.run.attempt).toBe(4);
    expect(await ticketOf(first)).toEqual({
      status: 'failed',
      reason: 'gave up after 3 attempts; the last: no_changes: nothing done',
    });
    await stages.drain();
    expect(await stages.claim()).toBeUndefined();
  });

  test.each(failureClasses)('%s: tried again or not, as the contract says', async failureClass => {
    const claimed = await stages.claimNew();
    await fail(claimed, failureClass);
    const never = ['agent_missing', 'output_limit', 'out_of_memory', 'invalid_task', 'model', 'blocked', 'limit'].includes(
      failureClass,
    );
    expect((await ticketOf(claimed))?.status).toBe(never ? 'failed' : 'ready');
    await stages.drain();
  });

  test('the wait doubles with each failure, and is none after a silent holder', async () => {
    const settings = { ...testSettings, retryMs: 8_000, attemptsMax: 10 };
    const usual = stages;
    stages = await stagesForTests(settings);
    onTestFinished(async () => {
      await stages.close();
      stages = usual;
    });
    const first = await stages.claimNew();
    const waits: number[] = [];
    let held: ClaimedRun | undefined = first;
    for (const how of ['fail', 'fail', 'lose', 'fail'] as const) {
      if (held === undefined) throw new Error('nothing to claim');
      if (how === 'fail') await fail(held);
      else await stages.expire(held.run.id).then(() => lose(held as ClaimedRun));
      await stages.engine(tx => queueRun(tx, first.run.subjectId, settings));
      const [row] = await stages.sql<{ ms: number }>(
        `update runs set due_at = now() where state = 'queued'
          returning round(extract(epoch from (select q.due_at from runs q where q.state = 'queued') - created_at))::int as ms`,
      );
      waits.push(row?.ms ?? -1);
      held = await stages.claim();
    }
    // Never sooner, and up to a quarter later.
    for (const [at, least] of [8, 16, 0, 32].entries()) {
      expect(waits[at]).toBeGreaterThanOrEqual(least);
      expect(waits[at]).toBeLessThanOrEqual(least * 1.25);
    }
    await stages.drain();
  });

  test('one live run a ticket, however often it is queued', async () => {
    const id = await stages.open();
    await Promise.all(Array.from({ length: 10 }, () => stages.engine(tx => queueRun(tx, id, stages.settings))));
    await stages.drain();
    expect(await stages.sql('select from runs')).toHaveLength(1);
    expect(await events('run.queued')).toBe(1);
  });
});

describe('the log', () => {
  const sizeMax = 20;
  let claimed: ClaimedRun;
  beforeEach(async () => {
    claimed = await stages.claimNew();
  });
  const scope = () => ({ tenantId: stages.tenantId, actor: 'worker:w', holder: holderOf(claimed) });
  const append = (offset: number, text: string) =>
    appendLog(stages.database, scope(), { offset, bytes: Buffer.from(text), sizeMax });
  const read = async (offset: number) => {
    const pieces: Buffer[] = [];
    for await (const piece of readLog(stages.database, scope(), { runId: claimed.run.id, offset })) pieces.push(piece);
    return Buffer.concat(pieces).toString();
  };

  test('is read to its end, however many chunks it has', async () => {
    for (let offset = 0; offset < sizeMax; offset++) await append(offset, 'x');
    expect(await read(0)).toBe('x'.repeat(sizeMax));
  });

  test('grows by offset; a chunk that is said again is stored once, whole or in part', async () => {
    expect([await append(0, 'hello '), await append(0, 'hello '), await append(6, 'world')]).toEqual([6, 6, 11]);
    expect([await append(0, 'hel'), await append(3, 'lo wo'), await append(11, ''), await append(0, '')]).toEqual([
      11, 11, 11, 11,
    ]);
    expect([await read(0), await read(6), await read(8), await read(11), await read(99)]).toEqual([
      'hello world',
      'world',
      'rld',
      '',
      '',
    ]);
    expect(await stages.sql('select from run_logs')).toHaveLength(2);
  });

  test('a gap is refused with the size, and so is an overlap that would add', async () => {
    await append(0, 'hello');
    await expect(append(6, 'x')).rejects.toMatchObject({ code: 'log_gap', facts: { size: 5 } });
    await expect(append(3, 'lo world')).rejects.toMatchObject({ code: 'log_gap', facts: { size: 5 } });
    expect(await read(0)).toBe('hello');
  });

  test('the same chunk ten times at once is stored once', async () => {
    expect(await Promise.all(Array.from({ length: 10 }, () => append(0, 'hello')))).toEqual(Array.from({ length: 10 }, () => 5));
    expect(await read(0)).toBe('hello');
  });

  test('of more chunks than are read at once is read whole, from any byte on', async () => {
    const whole = 'abcdefghijklmnopqrs';
    for (let i = 0; i < whole.length; i++) await append(i, whole.charAt(i));
    for (let i = 0; i <= whole.length; i++) expect(await read(i)).toBe(whole.slice(i));
  });

  test('has a limit to the byte', async () => {
    expect(await append(0, 'x'.repeat(sizeMax))).toBe(sizeMax);
    await expect(append(sizeMax, 'x')).rejects.toMatchObject({ code: 'too_large', facts: { size: sizeMax } });
  });
});

describe('the list of runs', () => {
  test('pages through runs of one moment without losing one', async () => {
    for (let i = 0; i < 30; i++) await stages.open();
    await stages.drain();
    await stages.sql(
      `update runs set created_at = '2030-01-01T00:00:00.123Z'::timestamptz + (random() * 999)::int * interval '1 microsecond'`,
    );
    const seen: string[] = [];
    let after: { createdAt: string; id: string } | undefined;
    for (;;) {
      const page = await stages.app(tx => listRuns(tx, {}, { after, limit: 7 }));
      seen.push(...page.map(run => run.id));
      const last = page.at(-1);
      if (last === undefined) break;
      after = { createdAt: last.createdAt.toISOString(), id: last.id };
    }
    expect([seen.length, new Set(seen).size]).toEqual([30, 30]);
  });
});
