import { expect, test } from 'vitest';
import { rmSync } from 'node:fs';
import { type Stages, useStages } from '../../../../test/harness/stages.ts';
import { runState, type Site, siteForTests, spendBudget } from '../../../../test/harness/work.ts';
import { haltsDecided } from './parking.sql.ts';
import { resumeRun } from '../../changes/index.ts';
import { cancelTicket } from '../../tickets/index.ts';
import { getProject } from '../../../support/projects/index.ts';
import { getQuestion, openQuestion } from '../../../support/questions/index.ts';
import { loseRun } from '../recovery/lose.ts';
import { countReturns, failRun, getRun, parkRun } from '../verbs.ts';
import { queueSubject } from '../queue/queue.ts';
import { haltRun, runOfToken } from '../run-token.ts';
import { retryWork } from './close.ts';
import { decideQuestion } from './decide.ts';

let stages: Stages;
useStages(each => (stages = each));

const answer = (id: string, text: string) => stages.app(tx => decideQuestion(tx, { id, answer: text }, stages.settings));
const questionOf = (id: string) => stages.app(tx => getQuestion(tx, id));
const cap = async () =>
  (await stages.sql<{ cap: string }>('select cap_microusd as cap from budgets')).map(row => Number(row.cap));
const ticketOf = (site: Site) => site.ticketIds[0] ?? '';
const reasonOf = async (id: string) =>
  (await stages.sql<{ reason: string }>('select status_reason as reason from tickets where id = $1', [id]))[0]?.reason;

async function parked(): Promise<{ site: Site; head: string; questionId: string; runId: string }> {
  const site = await siteForTests(stages);
  const attempt = await site.start(ticketOf(site));
  const head = attempt.commit({ 'half.txt': 'half\n' });
  const questionId = await attempt.park();
  await stages.drain();
  expect([await runState(stages, attempt), await stages.statusOf(ticketOf(site))]).toEqual(['parked', 'waiting']);
  return { site, head, questionId, runId: attempt.claimed.run.id };
}

test('a raised budget lets parked work go on from its commit, and that is no round of review', async () => {
  const { site, head, questionId, runId } = await parked();
  expect(await stages.ownerless()).toEqual([]);
  const [first, second] = await Promise.all([answer(questionId, 'raise:2.00'), answer(questionId, 'raise:2.00')]);
  expect([first?.state, second?.answer, await cap()]).toEqual(['answered', 'raise:2.00', [2_000_000]]);
  await stages.drain();
  await resumeRun(stages.parts, stages.tenantId, runId);
  expect(await site.runs(ticketOf(site))).toEqual(['ticket returned', 'ticket queued']);
  const next = await site.start(ticketOf(site));
  expect(next.task.commit).toBe(head);
  expect(next.task.feedback).toMatchObject({ round: 0, checks: [] });
  expect(next.task.feedback?.text).toContain('go on from there');
  expect((await runOfToken(stages.database, next.claimed.runToken)).round).toBe(0);
  next.commit({ 'half.txt': 'whole\n' });
  await next.handIn();
  await stages.drain();
  await site.review('red');
  expect(await stages.app(tx => countReturns(tx, { type: 'ticket', id: ticketOf(site), limit: 10 }))).toBe(1);
  const third = await site.start(ticketOf(site));
  expect(third.task.feedback?.round).toBe(1);
  third.commit({ 'half.txt': 'mended\n' });
  await third.handIn();
  await stages.drain();
  await site.review();
  expect(site.published()).toMatchObject({ 'half.txt': 'mended' });
});

test('the work is made again from its bundle where the copy of the repository is lost, before the answer and after it', async () => {
  const { site, head, questionId } = await parked();
  const lose = async () => rmSync((await stages.parts.depot.open(stages.projectId)).gitDir, { recursive: true });
  await lose();
  await answer(questionId, 'raise:2.00');
  await stages.drain();
  const { objects } = await stages.parts.depot.open(stages.projectId);
  expect(await objects.has(head)).toBe(true);
  const next = await site.start(ticketOf(site));
  expect(next.task.commit).toBe(head);
  next.commit({ 'b.txt': 'b\n' });
  await next.handIn();
  await lose();
  await stages.drain();
  await site.review();
  expect(site.published()).toMatchObject({ 'half.txt': 'half', 'b.txt': 'b' });
});

test('stop fails the ticket with the reason; said twice it is said once', async () => {
  const { site, questionId, runId } = await parked();
  await answer(questionId, 'stop');
  await expect(answer(questionId, 'raise:2.00')).rejects.toMatchObject({ code: 'wrong_state' });
  await stages.drain();
  await resumeRun(stages.parts, stages.tenantId, runId);
  expect([await stages.statusOf(ticketOf(site)), await reasonOf(ticketOf(site)), await cap()]).toEqual([
    'failed',
    'stopped by a person: The budget is spent',
    [500_000],
  ]);
  expect(await site.runs(ticketOf(site))).toEqual(['ticket cancelled']);
});

test('what is no answer, or less than is spent, changes nothing', async () => {
  const { questionId, site } = await parked();
  for (const text of [
    'yes',
    'raise',
    'raise:',
    'raise:-1',
    'raise:0.50',
    'raise:0.1',
    'raise:1e9',
    'raise:5 tokens',
    'model',
    'model:',
    'model:a b',
  ])
    await expect(answer(questionId, text)).rejects.toMatchObject({ code: 'invalid_request' });
  expect([(await questionOf(questionId)).state, await cap()]).toEqual(['pending', [500_000]]);
  await answer(questionId, 'model:openai/gpt-5-mini');
  expect((await stages.app(tx => getProject(tx, stages.projectId))).agent).toMatchObject({
    kind: 'exec',
    model: 'openai/gpt-5-mini',
  });
  await stages.drain();
  expect(await stages.statusOf(ticketOf(site))).toBe('ready');
});

test('of two decisions that differ one holds, and the other changes no budget', async () => {
  const { questionId } = await parked();
  const both = await Promise.allSettled([answer(questionId, 'raise:2.00'), answer(questionId, 'raise:3.00')]);
  expect(both.map(each => each.status).toSorted()).toEqual(['fulfilled', 'rejected']);
  const { answer: held } = await questionOf(questionId);
  expect(await cap()).toEqual([Number(held?.split(':')[1]) * 1_000_000]);
  await stages.drain();
});

test('a cancelled ticket takes its parked run and the question with it', async () => {
  const { site, questionId } = await parked();
  await stages.app(tx => cancelTicket(tx, ticketOf(site), { reason: 'no', cascade: true }));
  await stages.drain();
  expect([await site.runs(ticketOf(site)), (await questionOf(questionId)).state]).toEqual([['ticket cancelled'], 'expired']);
  await expect(answer(questionId, 'stop')).rejects.toMatchObject({ code: 'wrong_state' });
});

test('a retried ticket begins anew without what was parked; one that waits for a review cannot be retried so', async () => {
  const { site, questionId } = await parked();
  await stages.app(tx => retryWork(tx, ticketOf(site)));
  await stages.drain();
  expect([await site.runs(ticketOf(site)), (await questionOf(questionId)).state]).toEqual([
    ['ticket cancelled', 'ticket queued'],
    'expired',
  ]);
  const next = await site.start(ticketOf(site));
  expect(next.task).toMatchObject({ commit: (await site.trunk()).head, feedback: null });
  next.commit({ 'test/a.test.js': 'x\n', 'package.json': '{"scripts":{"test":"true"}}\n' });
  await next.handIn();
  await stages.drain();
  await site.review();
  expect(await stages.statusOf(ticketOf(site))).toBe('waiting');
  await expect(stages.app(tx => retryWork(tx, ticketOf(site)))).rejects.toMatchObject({ code: 'wrong_state' });
});

test('a question on which another ticket hangs stays', async () => {
  const site = await siteForTests(stages, { features: [{ title: 'a' }, { title: 'b' }] });
  const [a, b] = [await site.start(site.ticketIds[0]), await site.start(site.ticketIds[1])];
  for (const each of [a, b]) each.commit({ 'x.txt': 'x\n' });
  const questionId = await a.park();
  expect(await b.park()).toBe(questionId);
  await stages.app(tx => cancelTicket(tx, site.ticketIds[0] ?? '', { reason: 'no', cascade: true }));
  await stages.drain();
  expect((await questionOf(questionId)).state).toBe('pending');
  await answer(questionId, 'raise:2.00');
  await stages.drain();
  expect([await site.runs(site.ticketIds[0]), await site.runs(site.ticketIds[1])]).toEqual([
    ['ticket cancelled'],
    ['ticket returned', 'ticket queued'],
  ]);
});

test('a run that parks, or is lost, after the answer goes on all the same', async () => {
  const site = await siteForTests(stages, { features: [{ title: 'a' }, { title: 'b' }] });
  const [a, b] = [await site.start(site.ticketIds[0]), await site.start(site.ticketIds[1])];
  const questionId = await spendBudget(stages, a.claimed);
  await spendBudget(stages, b.claimed);
  await answer(questionId, 'raise:2.00');
  await stages.drain();
  await stages.engine(tx => parkRun(tx, { runId: a.claimed.run.id, token: a.claimed.token }, { summary: '' }));
  await stages.expire(b.claimed.run.id);
  await stages.engine(tx => loseRun(tx, b.claimed.run.id, stages.settings));
  expect(await stages.ownerless()).toEqual([]);
  await stages.drain();
  expect([await site.runs(site.ticketIds[0]), await site.runs(site.ticketIds[1])]).toEqual([
    ['ticket returned', 'ticket queued'],
    ['ticket lost', 'ticket queued'],
  ]);
});

test('the net finds what a lost job left hanging', async () => {
  const { questionId, runId, site } = await parked();
  const find = async (ms: number) => (await stages.database.enginePool.query(haltsDecided, [ms])).map(row => row.id);
  expect(await find(0)).toEqual([]);
  await answer(questionId, 'raise:2.00');
  await stages.sql('delete from graphile_worker._private_jobs');
  expect([await find(60_000), await find(0)]).toEqual([[], [runId]]);
  await resumeRun(stages.parts, stages.tenantId, runId);
  await stages.drain();
  expect([await find(0), await stages.statusOf(ticketOf(site))]).toEqual([[], 'ready']);
});

test('a bundle that is none is left behind: the next attempt begins where this one did', async () => {
  const site = await siteForTests(stages);
  const attempt = await site.start(ticketOf(site));
  attempt.commit({ 'half.txt': 'half\n' });
  const questionId = await attempt.park({ head: 'b'.repeat(40) });
  await answer(questionId, 'raise:2.00');
  await stages.drain();
  const next = await site.start(ticketOf(site));
  expect(next.task.commit).toBe(attempt.task.commit);
  expect(next.task.feedback?.text).toContain('handed in nothing');
});

test('a conflict whose resolution was parked is queued again', async () => {
  const site = await siteForTests(stages, { features: [{ title: 'a' }, { title: 'b' }] });
  const [a, b] = [await site.start(site.ticketIds[0]), await site.start(site.ticketIds[1])];
  a.commit({ 'a.txt': 'one\n' });
  b.commit({ 'a.txt': 'two\n' });
  for (const each of [a, b]) {
    await each.handIn();
    await stages.drain();
    await site.review();
  }
  const resolution = await site.resolve();
  const questionId = await spendBudget(stages, resolution.claimed);
  await stages.engine(tx => parkRun(tx, { runId: resolution.claimed.run.id, token: resolution.claimed.token }, { summary: '' }));
  await stages.drain();
  expect(await stages.ownerless()).toEqual([]);
  await answer(questionId, 'raise:2.00');
  await stages.drain();
  expect(await site.runs(site.ticketIds[1])).toEqual([
    'ticket submitted',
    'review accepted',
    'conflict returned',
    'conflict queued',
  ]);
  const again = await site.resolve();
  again.commit({ 'a.txt': 'both\n' });
  await again.handIn();
  await stages.drain();
  await site.review();
  expect(site.published()).toMatchObject({ 'a.txt': 'both' });
});

async function blocked(reason = 'no account'): Promise<{ site: Site; questionId: string; runId: string }> {
  const site = await siteForTests(stages);
  const attempt = await site.start(ticketOf(site));
  const { id: runId, ticketId } = attempt.claimed.run;
  const questionId = await stages.engine(async tx => {
    const { id } = await openQuestion(tx, {
      kind: 'blocker',
      subject: { type: 'run', id: runId },
      runId,
      ticketId,
      text: reason,
    });
    await haltRun(tx, runId, { kind: 'blocked', message: reason, questionId: id });
    return id;
  });
  const ended = { failureClass: 'no_changes', message: '', settings: stages.settings } as const;
  await stages.engine(tx => failRun(tx, { runId, token: attempt.claimed.token }, ended));
  await stages.drain();
  expect(await stages.statusOf(ticketOf(site))).toBe('waiting');
  return { site, questionId, runId };
}

test('the answer to a blocker is what the next attempt is told, and being blocked was no failure', async () => {
  const { site, questionId, runId } = await blocked();
  expect(await stages.ownerless()).toEqual([]);
  await answer(questionId, 'Use the account of the tests');
  await stages.drain();
  await resumeRun(stages.parts, stages.tenantId, runId);
  expect(await site.runs(ticketOf(site))).toEqual(['ticket failed', 'ticket queued']);
  const next = await site.start(ticketOf(site));
  expect(next.task.commit).toBe((await site.trunk()).head);
  expect(next.task.feedback?.text).toBe(
    'The last attempt said that it could not go on: no account\n\nA person has answered: Use the account of the tests',
  );
  // Two more failures may follow before three in a row are too many.
  const ended = { failureClass: 'agent_failed', message: 'x', settings: stages.settings } as const;
  const fail = ({ run, token }: typeof next.claimed) => stages.engine(tx => failRun(tx, { runId: run.id, token }, ended));
  await fail(next.claimed);
  await stages.drain();
  await fail((await site.start(ticketOf(site))).claimed);
  await stages.drain();
  const last = await site.start(ticketOf(site));
  expect(last.task.feedback?.text).toContain('Use the account of the tests');
  await fail(last.claimed);
  expect(await stages.statusOf(ticketOf(site))).toBe('failed');
  await stages.drain();
});

test('stop gives a blocked ticket up; a retry closes its question', async () => {
  const { site, questionId } = await blocked();
  await answer(questionId, 'stop');
  await stages.drain();
  expect([await stages.statusOf(ticketOf(site)), await reasonOf(ticketOf(site))]).toEqual([
    'failed',
    'stopped by a person: no account',
  ]);
});

test('a blocked ticket that is retried or cancelled closes its question', async () => {
  const { site, questionId, runId } = await blocked();
  await stages.app(tx => retryWork(tx, ticketOf(site)));
  await stages.drain();
  expect([await stages.statusOf(ticketOf(site)), (await questionOf(questionId)).state]).toEqual(['ready', 'expired']);
  expect((await stages.app(tx => getRun(tx, runId))).resumed).toBe(false);
});

test('a planning phase that was parked is planned again as it was, with the model that was chosen', async () => {
  const plan = { phase: 'DESIGN', input: { idea: 'x' }, model: 'openai/gpt-5' } as const;
  const task = { projectId: stages.projectId, objectFormat: 'sha1', commit: 'a'.repeat(40), plan } as const;
  const place = { ticketId: null, ticketStatus: null, priority: 0, chain: 0, requires: [], waitMs: 0 };
  await stages.engine(tx => queueSubject(tx, { type: 'spec_phase', id: 's:DESIGN', ...place, task }));
  const phase = await stages.claim();
  if (phase === undefined) throw new Error('nothing to claim');
  const questionId = await spendBudget(stages, phase);
  await stages.engine(tx => parkRun(tx, { runId: phase.run.id, token: phase.token }, { summary: '' }));
  await stages.drain();
  expect(await stages.ownerless()).toEqual([]);
  await answer(questionId, 'model:openai/gpt-5-mini');
  await stages.drain();
  const { agent, planner } = await stages.app(tx => getProject(tx, stages.projectId));
  expect([planner, agent]).toEqual([{ model: 'openai/gpt-5-mini' }, { kind: 'exec', command: ['true'] }]);
  const next = await stages.claim();
  expect(next?.run).toMatchObject({ subjectId: 's:DESIGN', attempt: 2, task: { plan: { ...plan, model: 'openai/gpt-5-mini' } } });
});
