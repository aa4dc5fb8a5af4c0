import { expect, test } from 'vitest';
import { type Stages, useStages } from '../../../../test/harness/stages.ts';
import { type Attempt, type Site, siteForTests } from '../../../../test/harness/work.ts';
import { nets } from '../../../flow.ts';
import { removeBudget, setBudget } from '../../../support/budgets/index.ts';
import { getQuestion, openQuestion } from '../../../support/questions/index.ts';
import { cancelTicket } from '../../tickets/index.ts';
import { retryWork } from './close.ts';
import { projectsOfQuestion, questionsInVain } from './parking.sql.ts';

let stages: Stages;
useStages(each => (stages = each));

const find = async (ms: number) => (await stages.database.enginePool.query(questionsInVain, [ms])).map(row => row.id);
const stateOf = async (id: string) => (await stages.app(tx => getQuestion(tx, id))).state;

/** Does what the net would. */
async function mend(): Promise<void> {
  const net = nets(stages.parts).find(each => each.find === questionsInVain);
  for (const id of await find(0)) await net?.mend(stages.tenantId, id);
  await stages.drain();
}

async function parked(): Promise<{ site: Site; ticketId: string; attempt: Attempt; questionId: string }> {
  const site = await siteForTests(stages);
  const ticketId = site.ticketIds[0] ?? '';
  const attempt = await site.start(ticketId);
  attempt.commit({ 'half.txt': 'half\n' });
  const questionId = await attempt.park();
  await stages.drain();
  expect(await find(0)).toEqual([]);
  return { site, ticketId, attempt, questionId };
}

const spent = () => stages.sql<{ id: string }>('select id from budgets').then(([row]) => row?.id ?? '');

test.each(['removed', 'raised'])('a budget that is %s by other means than the answer lets what it stopped go on', async how => {
  const { site, ticketId, questionId } = await parked();
  const id = await spent();
  const wanted = { scope: 'project', scopeId: stages.projectId, capMicroUsd: 2_000_000, capTokens: null } as const;
  await stages.app(tx => (how === 'removed' ? removeBudget(tx, id) : setBudget(tx, wanted)));
  expect([await find(60_000), await find(0)]).toEqual([[], [questionId]]);
  await mend();
  expect([await stateOf(questionId), await stages.statusOf(ticketId)]).toEqual(['expired', 'ready']);
  expect(await site.runs(ticketId)).toEqual(['ticket returned', 'ticket queued']);
  expect((await site.start(ticketId)).task.feedback?.text).toContain('go on from there');
});

test('one whose new cap is spent too goes on waiting', async () => {
  const { ticketId } = await parked();
  await stages.app(tx => setBudget(tx, { scope: 'project', scopeId: stages.projectId, capMicroUsd: 400_000, capTokens: null }));
  expect([await find(0), await stages.statusOf(ticketId)]).toEqual([[], 'waiting']);
});

test('what nothing hangs on, and what was asked about a ticket that is over, is found after some time', async () => {
  const { ticketId, attempt } = await parked();
  const { id: runId } = attempt.claimed.run;
  const made = await stages.engine(async tx => [
    await openQuestion(tx, { kind: 'blocker', subject: { type: 'run', id: runId }, runId, text: '?' }),
    await openQuestion(tx, { kind: 'ask', subject: { type: 'ticket', id: ticketId }, ticketId, runId, text: '?', dueMs: 60_000 }),
    await openQuestion(tx, { kind: 'ask', subject: { type: 'spec_phase', id: 'x' }, runId, text: '?', dueMs: 60_000 }),
  ]);
  const [blocker, ...asks] = made.map(({ id }) => id);
  // The ticket waits, and the run is parked.
  expect([await find(1_000), await find(0)]).toEqual([[], [blocker]]);
  await stages.app(tx => cancelTicket(tx, ticketId, { reason: 'no', cascade: true }));
  expect([await find(1_000), new Set(await find(0))]).toEqual([[], new Set([blocker, asks[0]])]);
  await stages.drain();
  expect(new Set(await find(0))).toEqual(new Set([blocker, asks[1]]));
  await mend();
  expect(await Promise.all(made.map(({ id }) => stateOf(id)))).toEqual(['expired', 'expired', 'expired']);
});

test('another model is for what hangs on the question, and not for what was given up', async () => {
  const { ticketId, questionId } = await parked();
  const hanging = async () => (await stages.database.enginePool.query(projectsOfQuestion, [stages.tenantId, questionId])).length;
  expect(await hanging()).toBe(1);
  await stages.app(tx => retryWork(tx, ticketId));
  await stages.drain();
  expect(await hanging()).toBe(0);
});
