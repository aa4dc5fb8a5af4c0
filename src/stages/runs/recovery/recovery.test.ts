import { describe, expect, test } from 'vitest';
import { type Stages, useStages } from '../../../../test/harness/stages.ts';
import type { FailureClass } from '../../../../contract/runs.ts';
import { cancelTicket } from '../../tickets/index.ts';
import { getQuestion } from '../../../support/questions/index.ts';
import { retryWork } from '../parking/close.ts';
import { decideQuestion } from '../parking/decide.ts';
import type { ClaimedRun } from '../queue/claim.ts';
import { queueSubject } from '../queue/queue.ts';
import { reportRun } from '../report.ts';
import { failRun, getRun, progress, renew, submitRun } from '../verbs.ts';
import { judgeHealth } from './health.ts';
import { loseRun } from './lose.ts';

let stages: Stages;
useStages(made => (stages = made));

const holderOf = ({ run, token }: ClaimedRun) => ({ runId: run.id, token });
const fail = (claimed: ClaimedRun, failureClass: FailureClass, message = 'm') =>
  stages.engine(tx => failRun(tx, holderOf(claimed), { failureClass, message, settings: stages.settings }));
const answer = (id: string, text: string) => stages.app(tx => decideQuestion(tx, { id, answer: text }, stages.settings));
const ticketOf = async (id: string) =>
  (
    await stages.sql<{ status: string; reason: string }>('select status, status_reason as reason from tickets where id = $1', [
      id,
    ])
  )[0];
const questions = () =>
  stages.sql<{ id: string; state: string; text: string; options: { id: string }[]; default_answer: string | null }>(
    `select id, state, text, options, default_answer from questions where kind = 'recovery' order by created_at`,
  );
const told = (type: string) =>
  stages.sql<{ payload: Record<string, unknown> }>('select payload from events where type = $1 order by id', [type]);

async function next(ticketId: string): Promise<ClaimedRun> {
  await stages.drain();
  const claimed = await stages.claim({ ticketId });
  if (claimed === undefined) throw new Error(`there is nothing to claim of ${ticketId}`);
  return claimed;
}

/** Breaks off as often as it is tried again, and once more: then a person is asked. */
async function untilAsked(first: ClaimedRun): Promise<{ ticketId: string; questionId: string }> {
  const ticketId = first.run.subjectId;
  await fail(first, 'agent_died');
  for (const how of ['unresponsive', 'lost', 'agent_died'] as const) {
    const claimed = await next(ticketId);
    if (how === 'lost')
      await stages.expire(claimed.run.id).then(() => stages.engine(tx => loseRun(tx, claimed.run.id, stages.settings)));
    else await fail(claimed, how);
  }
  await stages.drain();
  const asked = (await questions()).at(-1);
  return { ticketId, questionId: asked?.id ?? '' };
}

describe('after three restarts within an hour', () => {
  test('a person is asked, and the ticket waits for the word', async () => {
    const { ticketId, questionId } = await untilAsked(await stages.claimNew());
    const reason = 'broke off 4 times within an hour; the last: agent_died: m';
    expect(await ticketOf(ticketId)).toEqual({ status: 'waiting', reason });
    expect(await questions()).toEqual([
      {
        id: questionId,
        state: 'pending',
        text: `The work on ${ticketId} ${reason}`,
        options: [expect.objectContaining({ id: 'again' }), expect.objectContaining({ id: 'stop' })],
        default_answer: null,
      },
    ]);
    expect(await told('run.halted')).toMatchObject([{ payload: { halt: 'recovery', questionId } }]);
    expect(await stages.claim()).toBeUndefined();
    expect(await stages.ownerless()).toEqual([]);
  });

  test.each([
    ['again', /^The last attempt broke off(?!.*A person has answered)/s],
    ['use less memory', /A person has answered: use less memory$/],
  ])('"%s" has it tried again, with every count begun anew', async (word, text) => {
    const { ticketId, questionId } = await untilAsked(await stages.claimNew());
    await answer(questionId, word);
    const [row] = await stages.sql<{ feedback: { text: string } }>('select feedback from runs order by attempt desc limit 1');
    expect(row?.feedback).toBeNull();
    const again = await next(ticketId);
    const [before] = await stages.sql<{ text: string }>(`select feedback ->> 'text' as text from runs where resumed`);
    expect(before?.text).toMatch(text);
    expect((await untilAsked(again)).questionId).not.toBe(questionId);
    expect((await questions()).map(({ state }) => state)).toEqual(['answered', 'pending']);
  });

  test('"stop" gives the ticket up', async () => {
    const { ticketId, questionId } = await untilAsked(await stages.claimNew());
    await answer(questionId, 'stop');
    await stages.drain();
    expect(await ticketOf(ticketId)).toMatchObject({
      status: 'failed',
      reason: expect.stringMatching(/^stopped by a person: broke off 4 times/),
    });
  });

  test('a retry or a cancellation makes the question needless', async () => {
    const retried = await untilAsked(await stages.claimNew());
    const cancelled = await untilAsked(await stages.claimNew());
    await stages.app(tx => retryWork(tx, retried.ticketId));
    await stages.app(tx => cancelTicket(tx, cancelled.ticketId, { reason: 'r', cascade: false }));
    await stages.drain();
    for (const { questionId } of [retried, cancelled])
      expect((await stages.app(tx => getQuestion(tx, questionId))).state).toBe('expired');
    expect([await stages.statusOf(retried.ticketId), await stages.statusOf(cancelled.ticketId)]).toEqual(['ready', 'cancelled']);
    await fail(await next(retried.ticketId), 'agent_died');
    expect((await ticketOf(retried.ticketId))?.reason).toBe('attempt 1: agent_died: m');
    await stages.drain();
  });

  test('a ticket that was cancelled meanwhile asks nobody', async () => {
    const first = await stages.claimNew();
    await fail(first, 'agent_died');
    for (let i = 0; i < 2; i++) await fail(await next(first.run.subjectId), 'agent_died');
    const last = await next(first.run.subjectId);
    await stages.app(tx => cancelTicket(tx, first.run.subjectId, { reason: 'r', cascade: false }));
    await fail(last, 'agent_died');
    await stages.drain();
    expect(await questions()).toEqual([]);
  });

  test('what is no ticket is given up, and nobody is asked', async () => {
    const task = { projectId: stages.projectId, objectFormat: 'sha1', commit: 'a'.repeat(40) } as const;
    const place = { ticketId: null, ticketStatus: null, priority: 0, chain: 0, requires: [], task, waitMs: 0 };
    await stages.engine(tx => queueSubject(tx, { type: 'diagnosis', id: 'd', ...place }));
    for (let i = 0; i < 4; i++) {
      const claimed = await stages.claim();
      if (claimed === undefined) throw new Error('nothing to claim');
      await fail(claimed, 'agent_died');
    }
    expect(await told('run.exhausted')).toMatchObject([{ payload: { reason: expect.stringContaining('broke off 4 times') } }]);
    expect([await questions(), await stages.claim()]).toEqual([[], undefined]);
  });
});

test('the cooldown is kept from the second restart on, by the clock of the database', async () => {
  const settings = { ...stages.settings, restartCooldownMs: 60_000 };
  const first = await stages.claimNew();
  const breakOff = (claimed: ClaimedRun) =>
    stages.engine(tx => failRun(tx, holderOf(claimed), { failureClass: 'agent_died', message: '', settings }));
  const { settings: usual } = stages.parts;
  Object.assign(usual, settings);
  try {
    await breakOff(first);
    await breakOff(await next(first.run.subjectId));
    await stages.drain();
  } finally {
    Object.assign(usual, { restartCooldownMs: 0 });
  }
  expect(await stages.claim()).toBeUndefined();
  const [due] = await stages.sql<{ s: number }>(
    `select extract(epoch from due_at - clock_timestamp())::float8 as s from runs where state = 'queued'`,
  );
  expect(due?.s).toBeGreaterThan(40);
  expect(due?.s).toBeLessThanOrEqual(75);
});

describe('the health of a run', () => {
  const judge = () => judgeHealth(stages.database, stages.settings);
  const silentFor = (claimed: ClaimedRun, seconds: number) =>
    stages.sql(`update runs set lease_expires_at = clock_timestamp() + make_interval(secs => 15 - $2) where id = $1`, [
      claimed.run.id,
      seconds,
    ]);
  const healthOf = async ({ run }: ClaimedRun) => (await stages.app(tx => getRun(tx, run.id))).health;
  const news = async () => (await told('run.health')).map(({ payload }) => [payload['health'], payload['missed']]);

  async function working(): Promise<ClaimedRun> {
    const claimed = await stages.claimNew();
    await stages.engine(tx => progress(tx, holderOf(claimed), { state: 'working', leaseMs: 15_000 }));
    return claimed;
  }

  test('falls with each missed heartbeat, and is good again with the next one; each change is told once', async () => {
    const claimed = await working();
    const seen: string[] = [];
    for (const seconds of [0, 5, 7, 8, 9, 12, 13, 14]) {
      await silentFor(claimed, seconds);
      await Promise.all([judge(), judge()]);
      seen.push(await healthOf(claimed));
    }
    expect(seen).toEqual(['ok', 'ok', 'ok', 'late', 'late', 'late', 'degraded', 'degraded']);
    const scope = { tenantId: stages.tenantId, actor: 'w', holder: holderOf(claimed) };
    await renew(stages.database, scope, stages.settings);
    await judge();
    expect(await healthOf(claimed)).toBe('ok');
    expect(await news()).toEqual([
      ['late', 1],
      ['degraded', 2],
      ['ok', 0],
    ]);
    await stages.engine(tx => submitRun(tx, holderOf(claimed), { summary: '' }));
    await stages.drain();
  });

  test('of one that is only starting is judged by nothing but its lease', async () => {
    const claimed = await stages.claimNew();
    await silentFor(claimed, 14);
    await judge();
    await stages.engine(tx => progress(tx, holderOf(claimed), { state: 'starting', leaseMs: 15_000 }));
    await silentFor(claimed, 14);
    await judge();
    expect([await healthOf(claimed), await news()]).toEqual(['ok', []]);
  });
});

test('the phase that a holder reports is written down with its time', async () => {
  const claimed = await stages.claimNew();
  const scope = { tenantId: stages.tenantId, actor: 'w', holder: holderOf(claimed) };
  const report = (type: string, payload: Record<string, unknown>) => reportRun(stages.database, scope, { type, payload });
  await report('phase.started', { phase: 'check_out' });
  const { phase, phaseAt } = await stages.app(tx => getRun(tx, claimed.run.id));
  expect([phase, phaseAt]).toEqual(['check_out', expect.any(Date)]);
  for (const payload of [{ phase: 'x'.repeat(51) }, { phase: 7 }, { phase: 'a b' }, {}]) await report('phase.started', payload);
  await report('note', { phase: 'stream' });
  expect((await stages.app(tx => getRun(tx, claimed.run.id))).phase).toBe('check_out');
  expect(await told('run.reported')).toHaveLength(6);
  await fail(claimed, 'agent_failed');
  await expect(report('phase.started', { phase: 'stream' })).rejects.toMatchObject({ code: 'lease_lost' });
  await stages.drain();
});
