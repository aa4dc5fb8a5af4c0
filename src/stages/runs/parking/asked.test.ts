import { expect, test } from 'vitest';
import { type Stages, useStages } from '../../../../test/harness/stages.ts';
import { type Attempt, rescue, runState, type Site, siteForTests } from '../../../../test/harness/work.ts';
import { expireQuestion, getQuestion, openQuestion } from '../../../support/questions/index.ts';
import { resumeRun } from '../../changes/index.ts';
import { cancelTicket, getTicket } from '../../tickets/index.ts';
import { loseRun } from '../recovery/lose.ts';
import { haltRun } from '../run-token.ts';
import { cancelRun, failRun, parkRun } from '../verbs.ts';
import { askingHalt } from './asked.ts';
import { retryWork } from './close.ts';
import { decideQuestion } from './decide.ts';
import { haltsDecided } from './parking.sql.ts';

let stages: Stages;
useStages(each => (stages = each));

const answer = (id: string, text: string) => stages.app(tx => decideQuestion(tx, { id, answer: text }, stages.settings));
const stateOf = async (id: string) => (await stages.app(tx => getQuestion(tx, id))).state;

/** As the agent of an attempt asks, where nobody answers soon. */
function ask({ claimed: { run } }: Attempt, text: string, dueMs = 60_000): Promise<string> {
  return stages.engine(async tx => {
    const about = { subject: { type: 'ticket', id: run.subjectId }, ticketId: run.subjectId, runId: run.id };
    const question = await openQuestion(tx, { kind: 'ask', ...about, key: text, text, dueMs, defaultAnswer: 'either' });
    await haltRun(tx, run.id, askingHalt(question));
    return question.id;
  });
}

async function lose({ claimed: { run } }: Attempt): Promise<void> {
  await stages.expire(run.id);
  await stages.engine(tx => loseRun(tx, run.id, stages.settings));
}

interface Asked {
  readonly site: Site;
  readonly ticketId: string;
  readonly attempt: Attempt;
  readonly head: string;
  readonly asked: readonly string[];
}

/** A run with work that has asked, and is parked. */
async function parked(...texts: readonly string[]): Promise<Asked> {
  const site = await siteForTests(stages);
  const ticketId = site.ticketIds[0] ?? '';
  const attempt = await site.start(ticketId);
  const head = attempt.commit({ 'half.txt': 'half\n' });
  const asked: string[] = [];
  for (const text of texts) asked.push(await ask(attempt, text));
  await attempt.handIn({}, parkRun);
  await stages.drain();
  expect([await runState(stages, attempt), await stages.statusOf(ticketId)]).toEqual(['parked', 'waiting']);
  expect(await stages.ownerless()).toEqual([]);
  return { site, ticketId, attempt, head, asked };
}

test('the ticket goes on from the work, which may be all of it, with question and answer', async () => {
  const { site, ticketId, head, asked } = await parked('Which?');
  await answer(asked[0] ?? '', 'this');
  await stages.drain();
  expect(await site.runs(ticketId)).toEqual(['ticket returned', 'ticket queued']);
  const next = await site.start(ticketId);
  expect(next.task).toMatchObject({
    commit: head,
    has_work: true,
    answers: [{ question: 'Which?', answer: 'this', is_default: false }],
  });
  expect(next.task.feedback).toMatchObject({ round: 0, text: expect.stringContaining('go on from there') as string });
  next.commit({ 'rest.txt': 'rest\n' });
  await next.handIn();
  await stages.drain();
  await site.review();
  expect(site.published()).toMatchObject({ 'half.txt': 'half', 'rest.txt': 'rest' });
});

test('of two questions both must be decided; that it asked is told once', async () => {
  const { site, ticketId, attempt, asked } = await parked('a?', 'b?');
  await answer(asked[0] ?? '', 'one');
  await stages.drain();
  await resumeRun(stages.parts, stages.tenantId, attempt.claimed.run.id);
  expect([await site.runs(ticketId), await stages.statusOf(ticketId)]).toEqual([['ticket parked'], 'waiting']);
  expect((await stages.app(tx => getTicket(tx, ticketId))).statusReason).toBe('The agent asks: b?');
  const told = `select type, payload ->> 'message' as message from events where type in ('run.halted', 'ticket.changed') order by id`;
  expect((await stages.sql(told)).slice(-2)).toEqual([
    { type: 'run.halted', message: 'The agent asks: b?' },
    { type: 'ticket.changed', message: null },
  ]);
  expect(await stages.ownerless()).toEqual([]);
  await stages.engine(tx => expireQuestion(tx, asked[1] ?? ''));
  await stages.drain();
  const next = await site.start(ticketId);
  // The other was closed before its time.
  expect(next.task.answers).toEqual([{ question: 'a?', answer: 'one', is_default: false }]);
  next.commit({ 'more.txt': 'more\n' });
  const third = await ask(next, 'c?');
  await next.handIn({}, parkRun);
  await stages.drain();
  await answer(third, 'three');
  await stages.drain();
  const { task } = await site.start(ticketId);
  expect(task.answers?.map(each => each.answer)).toEqual(['one', 'three']);
  expect(task.feedback?.text.split('The last attempt asked a person').length).toBe(2);
  expect(task.feedback?.text).not.toContain('three');
});

test('both answered at once let it go on once', async () => {
  const { site, ticketId, asked } = await parked('a?', 'b?');
  await Promise.all(asked.map(id => answer(id, 'yes')));
  await stages.drain();
  expect(await site.runs(ticketId)).toEqual(['ticket returned', 'ticket queued']);
});

test('an answer that comes before the run is parked, or lost, is not waited for', async () => {
  for (const end of ['park', 'fail', 'lose']) {
    const site = await siteForTests(stages);
    const ticketId = site.ticketIds[0] ?? '';
    const attempt = await site.start(ticketId);
    const id = await ask(attempt, 'Which?');
    await answer(id, 'this');
    await stages.drain();
    const { run, token } = attempt.claimed;
    const holder = { runId: run.id, token };
    const failed = { failureClass: 'agent_failed', message: 'it gave up', settings: stages.settings } as const;
    if (end === 'park') await stages.engine(tx => parkRun(tx, holder, { summary: '' }));
    else if (end === 'fail') await stages.engine(tx => failRun(tx, holder, failed));
    else await lose(attempt);
    await stages.drain();
    expect([end, await stages.statusOf(ticketId)]).toEqual([end, 'ready']);
    expect((await site.start(ticketId)).task).toMatchObject({ has_work: false, answers: [{ answer: 'this' }] });
    await stages.app(tx => cancelTicket(tx, ticketId, { reason: 'no', cascade: true }));
    await stages.drain();
  }
});

test('a run that is lost after it has asked waits for the answer', async () => {
  const site = await siteForTests(stages);
  const ticketId = site.ticketIds[0] ?? '';
  const attempt = await site.start(ticketId);
  const id = await ask(attempt, 'Which?');
  await lose(attempt);
  await stages.drain();
  expect([await stages.statusOf(ticketId), await stateOf(id)]).toEqual(['waiting', 'pending']);
  await answer(id, 'this');
  await stages.drain();
  expect((await site.start(ticketId)).task.answers).toMatchObject([{ answer: 'this' }]);
});

test('the work of a run that is lost after it has asked may be all that there is to do', async () => {
  const site = await siteForTests(stages);
  const ticketId = site.ticketIds[0] ?? '';
  const attempt = await site.start(ticketId);
  const head = attempt.commit({ 'whole.txt': 'whole\n' });
  const id = await ask(attempt, 'Which?');
  await lose(attempt);
  await rescue(stages, attempt);
  await stages.drain();
  expect(await stages.statusOf(ticketId)).toBe('waiting');
  await answer(id, 'this');
  await stages.drain();
  expect((await site.start(ticketId)).task).toMatchObject({ commit: head, has_work: true, answers: [{ answer: 'this' }] });
});

test('the work of a run that is lost after the answer is taken up when its machine is back', async () => {
  const site = await siteForTests(stages);
  const ticketId = site.ticketIds[0] ?? '';
  const attempt = await site.start(ticketId);
  const head = attempt.commit({ 'half.txt': 'half\n' });
  await answer(await ask(attempt, 'Which?'), 'this');
  await stages.drain();
  await lose(attempt);
  await stages.drain();
  expect([await stages.statusOf(ticketId), await site.runs(ticketId)]).toEqual(['ready', ['ticket lost', 'ticket queued']]);
  await rescue(stages, attempt);
  await stages.drain();
  expect((await site.start(ticketId)).task).toMatchObject({ commit: head, has_work: true, answers: [{ answer: 'this' }] });
});

test('where the word of an answer was lost, the sweep goes on from there', async () => {
  const { site, ticketId, attempt, asked } = await parked('a?', 'b?');
  await stages.sql(
    `update questions set state = 'answered', answer = 'x', answered_by = 'me', decided_at = now() where id = $1`,
    [asked[0]],
  );
  const net = async () => {
    const found = await stages.database.enginePool.query(haltsDecided, [0]);
    for (const { id } of found) await resumeRun(stages.parts, stages.tenantId, id);
    return found.map(({ id }) => id);
  };
  expect(await net()).toEqual([attempt.claimed.run.id]);
  expect(await net()).toEqual([]);
  await answer(asked[1] ?? '', 'y');
  await stages.drain();
  expect(await site.runs(ticketId)).toEqual(['ticket returned', 'ticket queued']);
});

test.each(['cancelled', 'retried', 'run cancelled'])('what was asked is closed where the ticket is %s meanwhile', async how => {
  const { site, ticketId, attempt, asked } = await parked('a?', 'b?');
  if (how === 'cancelled') await stages.app(tx => cancelTicket(tx, ticketId, { reason: 'no', cascade: true }));
  else if (how === 'retried') await stages.app(tx => retryWork(tx, ticketId));
  else await stages.engine(tx => cancelRun(tx, attempt.claimed.run.id));
  await stages.drain();
  expect(await Promise.all(asked.map(stateOf))).toEqual(['expired', 'expired']);
  expect(await site.runs(ticketId)).toEqual(how === 'retried' ? ['ticket cancelled', 'ticket queued'] : ['ticket cancelled']);
  await expect(answer(asked[0] ?? '', 'late')).rejects.toMatchObject({ code: 'wrong_state' });
});

test('a ticket that is begun anew is told nothing of what was asked and decided before, but what is from then on', async () => {
  const { site, ticketId, asked } = await parked('a?', 'b?');
  await answer(asked[0] ?? '', 'old');
  await stages.app(tx => retryWork(tx, ticketId));
  await stages.drain();
  const anew = await site.start(ticketId);
  expect(anew.task).toMatchObject({ feedback: null, answers: [] });
  await answer(await ask(anew, 'a?'), 'new');
  await lose(anew);
  await stages.drain();
  expect((await site.start(ticketId)).task.answers).toEqual([{ question: 'a?', answer: 'new', is_default: false }]);
});

test.each(['lost', 'blocked'] as const)('what a run that is %s has asked is closed where its ticket is begun anew', async how => {
  const site = await siteForTests(stages);
  const ticketId = site.ticketIds[0] ?? '';
  const attempt = await site.start(ticketId);
  const { run } = attempt.claimed;
  const id = await stages.engine(async tx => {
    const about = { subject: { type: 'ticket', id: ticketId }, ticketId, runId: run.id };
    return (await openQuestion(tx, { kind: 'ask', ...about, text: '?', dueMs: 60_000 })).id;
  });
  const halt = how === 'lost' ? ({ kind: 'question', questionId: id } as const) : ({ kind: 'blocked' } as const);
  await stages.engine(tx => haltRun(tx, run.id, { ...halt, message: 'm' }));
  await lose(attempt);
  await stages.drain();
  expect([await stages.statusOf(ticketId), await stateOf(id)]).toEqual(['waiting', 'pending']);
  await stages.app(tx => retryWork(tx, ticketId));
  await stages.drain();
  expect([await stateOf(id), (await site.runs(ticketId)).at(-1)]).toEqual(['expired', 'ticket queued']);
});
