import { rmSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { SpecCard } from '../../../../contract/spec-card.ts';
import { createGate } from '../../../../test/harness/gate.ts';
import { type PlannedSession, planForTests } from '../../../../test/harness/planning.ts';
import { clarified, required } from '../../../../test/harness/plans.ts';
import { until } from '../../../../test/harness/process.ts';
import { type Stages, useStages } from '../../../../test/harness/stages.ts';
import { git, makeRepository } from '../../../../test/harness/worker.ts';
import { spendBudget } from '../../../../test/harness/work.ts';
import { getProject } from '../../../support/projects/index.ts';
import { getQuestion } from '../../../support/questions/index.ts';
import { cancelSession } from '../../sessions/index.ts';
import { generateSpec, getSpecOfSession, handInCard, respondTo } from '../../specs/index.ts';
import type { ClaimedRun } from '../queue/claim.ts';
import { holdRun } from '../runs.sql.ts';
import { cancelRun, failRun, parkRun, submitRun } from '../verbs.ts';
import { decideQuestion } from '../parking/decide.ts';
import { ensurePlanBase, judgePhase } from './index.ts';

let stages: Stages;
useStages(made => {
  stages = made;
});

async function claimed(plan: PlannedSession): Promise<ClaimedRun> {
  const phase = await plan.claim();
  if (phase === undefined) throw new Error('nothing to claim');
  return phase.claimed;
}

const holderOf = ({ run, token }: ClaimedRun) => ({ runId: run.id, token });

async function fail(plan: PlannedSession, failureClass: 'agent_failed' | 'model'): Promise<void> {
  const holder = holderOf(await claimed(plan));
  await stages.engine(tx => failRun(tx, holder, { failureClass, message: 'no answer', settings: stages.settings }));
  await stages.drain();
}

async function generate(plan: PlannedSession): Promise<void> {
  await stages.app(tx => generateSpec(tx, plan.sessionId));
  await stages.drain();
}

test('a phase that is tried again by a person has all its attempts again', async () => {
  const plan = await planForTests(stages);
  await plan.pass('CLARIFY', clarified());
  for (const round of [1, 2]) {
    for (let attempt = 1; attempt <= stages.settings.attemptsMax; attempt++) {
      expect([round, attempt, (await plan.view()).state]).toEqual([round, attempt, 'working']);
      await fail(plan, 'agent_failed');
    }
    expect(await plan.view()).toMatchObject({ state: 'stopped', phase: 'REQUIREMENTS' });
    await generate(plan);
  }
  await plan.pass('REQUIREMENTS');
});

test('who says something after that, and has the spec generated, wants no more questions', async () => {
  const plan = await planForTests(stages);
  await fail(plan, 'model');
  await stages.app(tx => respondTo(tx, plan.sessionId, 'It is mended'));
  await generate(plan);
  await generate(plan);
  expect(await plan.view()).toMatchObject({ state: 'working', phase: 'CLARIFY' });
  await stages.app(tx => respondTo(tx, plan.sessionId, 'No questions, please'));
  await generate(plan);
  expect(await plan.view()).toMatchObject({ state: 'working', phase: 'REQUIREMENTS' });
});

test('said twice, generate-spec tries what had stopped again once, and skips no question by that', async () => {
  const plan = await planForTests(stages);
  await fail(plan, 'model');
  expect(await plan.view()).toMatchObject({ state: 'stopped', phase: 'CLARIFY' });
  await generate(plan);
  await generate(plan);
  expect(await plan.view()).toMatchObject({ state: 'working', phase: 'CLARIFY', spec: null });
  await plan.pass('CLARIFY', clarified('Dark?'));
  await stages.app(tx => respondTo(tx, plan.sessionId, 'yes'));
  await stages.drain();
  await generate(plan);
  expect(await plan.view()).toMatchObject({ state: 'working', phase: 'REQUIREMENTS' });
});

/** Hands in, and lets `meanwhile` be committed after the output was begun to be looked at and before it is judged. */
async function judgedWhile(plan: PlannedSession, output: unknown, meanwhile: () => Promise<unknown>): Promise<string> {
  const held = await claimed(plan);
  const runId = held.run.id;
  await stages.engine(tx => submitRun(tx, holderOf(held), { summary: '', output: output as Record<string, never> }));
  await stages.sql('delete from graphile_worker._private_jobs');
  const [locked, goOn] = [createGate(), createGate()];
  const holding = stages.engine(async tx => {
    await tx.query(holdRun, [tx.tenantId, runId, ['submitted']]);
    locked.open();
    await goOn.passed;
  });
  await locked.passed;
  const judging = stages.engine(tx => judgePhase(tx, runId));
  const waiting = `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
  await until('the judge to wait for the run', async () => ((await stages.sql(waiting)).length > 0 ? true : undefined));
  await meanwhile();
  goOn.open();
  await Promise.all([holding, judging]);
  return runId;
}

const card: SpecCard = { name: 'By hand', description: '', features: [{ title: 'a' }], technical_requirements: [] } as never;

test('a card that is handed in while an output is judged stands, and its spec can be built', async () => {
  const plan = await planForTests(stages);
  await plan.pass('CLARIFY', clarified());
  await judgedWhile(plan, required(), () => stages.app(tx => handInCard(tx, plan.sessionId, card)));
  await stages.drain();
  expect(await plan.view()).toMatchObject({ session: 'reviewing', state: 'stopped', spec: 'planning_complete SYNC' });
  expect((await stages.app(tx => getSpecOfSession(tx, plan.sessionId))).name).toBe('By hand');
  expect(await plan.runs()).toEqual(['CLARIFY accepted', 'REQUIREMENTS cancelled']);
});

test('an output is not held against a phase that began while it was judged', async () => {
  const plan = await planForTests(stages);
  await judgedWhile(plan, clarified('Dark?'), () => stages.app(tx => generateSpec(tx, plan.sessionId)));
  await stages.drain();
  expect(await plan.view()).toMatchObject({ state: 'working', phase: 'REQUIREMENTS', rounds: 0 });
  expect(await plan.runs()).toEqual(['CLARIFY cancelled', 'REQUIREMENTS queued']);
});

test('a session that is cancelled while an output is judged leaves no spec behind', async () => {
  const plan = await planForTests(stages);
  await judgedWhile(plan, clarified(), async () => {
    await stages.app(tx => cancelSession(tx, plan.sessionId));
    await stages.sql(`update graphile_worker._private_jobs set run_at = now() + interval '1 hour'
      where task_id <> (select id from graphile_worker._private_tasks where identifier = 'cancelSpec')`);
    await stages.drain();
    await stages.sql('update graphile_worker._private_jobs set run_at = now()');
  });
  await stages.drain();
  expect(await plan.view()).toMatchObject({ session: 'cancelled', state: 'stopped', spec: null });
  expect(await plan.runs()).toEqual(['CLARIFY cancelled']);
});

test.each(['session', 'run'])('with the %s, the question on which a parked phase hung is over', async cancelled => {
  const plan = await planForTests(stages);
  const held = await claimed(plan);
  const questionId = await spendBudget(stages, held);
  await stages.engine(tx => parkRun(tx, holderOf(held), { summary: '' }));
  await stages.drain();
  expect((await stages.app(tx => getQuestion(tx, questionId))).state).toBe('pending');
  if (cancelled === 'session') await stages.app(tx => cancelSession(tx, plan.sessionId));
  else await stages.engine(tx => cancelRun(tx, held.run.id));
  await stages.drain();
  expect((await stages.app(tx => getQuestion(tx, questionId))).state).toBe('expired');
  expect((await plan.view()).state).toBe('stopped');
});

test('a phase that goes on after its budget was raised is not told that its answer was wrong: it had given none', async () => {
  const plan = await planForTests(stages);
  const held = await claimed(plan);
  const questionId = await spendBudget(stages, held);
  await stages.engine(tx => parkRun(tx, holderOf(held), { summary: '' }));
  await stages.app(tx => decideQuestion(tx, { id: questionId, answer: 'raise:2.00' }, stages.settings));
  await stages.drain();
  const again = await plan.claim();
  expect([again?.claimed.run.attempt, again?.task.feedback]).toEqual([2, null]);
});

test('a commit that the repository has no more, and that was lost, is named', async () => {
  const repository = makeRepository({ 'a.txt': 'a' });
  const plan = await planForTests(stages, { repository });
  const { task } = await plan.pass('CLARIFY', clarified());
  const { gitDir } = await stages.parts.depot.open(stages.projectId);
  rmSync(gitDir, { recursive: true });
  git(repository, 'commit', '--quiet', '--amend', '--message=another');
  const project = await stages.app(tx => getProject(tx, stages.projectId));
  const base = { commit: task.commit, objectFormat: task.object_format };
  await expect(ensurePlanBase(stages.parts, project, base)).rejects.toMatchObject({
    code: 'repository_unavailable',
    message: expect.stringContaining(task.commit) as unknown,
  });
});
