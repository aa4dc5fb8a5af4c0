import { describe, expect, test } from 'vitest';
import type { SpecPlan } from '../../../../contract/talk/planning.ts';
import type { SpecCard } from '../../../../contract/spec-card.ts';
import { planForTests } from '../../../../test/harness/planning.ts';
import { clarified, required, tasked } from '../../../../test/harness/plans.ts';
import { type Stages, useStages } from '../../../../test/harness/stages.ts';
import { git, makeRepository } from '../../../../test/harness/worker.ts';
import { answerSession, cancelSession, openSession, rejectSession } from '../../sessions/index.ts';
import { generateSpec, getSpecOfSession, handInCard, openPlanning, rejectSpec, respondTo } from '../../specs/index.ts';
import { failRun, submitRun } from '../verbs.ts';
import { judgePhase, outputsWithoutVerdict, planningsLeftAlone, planSession } from './index.ts';

let stages: Stages;
useStages(made => {
  stages = made;
});

describe('from an idea to a spec', () => {
  test('questions, an answer, requirements, design and tasks: then the card waits for approval', async () => {
    const repository = makeRepository({ 'README.md': '# demo\n' });
    const plan = await planForTests(stages, { repository });
    const asked = await plan.pass('CLARIFY', clarified('Dark mode?'));
    expect(asked.task).toMatchObject({ commit: git(repository, 'rev-parse', 'HEAD'), object_format: 'sha1', feedback: null });
    expect(asked.task.plan).toMatchObject({
      model: 'recorded/demo',
      input: { idea: 'A list of things to do\nwith dark mode', rounds_left: 3 },
    });
    expect(await plan.view()).toMatchObject({ session: 'clarifying', state: 'asking', rounds: 1, spec: null });
    const question = (await plan.messages()).at(-1);
    expect(question).toMatchObject({ author: 'clarifier', questions: clarified('Dark mode?').questions });
    expect(question?.text).toContain('Q1  Dark mode?\n    Such as: yes; no\n    Unless you say otherwise: no');
    expect(await plan.claim()).toBeUndefined();

    await stages.app(tx => respondTo(tx, plan.sessionId, 'Yes, dark'));
    expect(await plan.view()).toMatchObject({ state: 'working', phase: 'CLARIFY', spec: null });
    await stages.drain();
    const again = await plan.pass('CLARIFY', clarified());
    expect(again.task.plan?.input).toMatchObject({ rounds_left: 2 });
    expect(JSON.stringify(again.task.plan?.input['conversation'])).toContain('Yes, dark');

    expect(await plan.view()).toMatchObject({ state: 'working', phase: 'REQUIREMENTS', spec: 'executing_planning REQUIREMENTS' });
    const requirements = await plan.pass('REQUIREMENTS');
    expect(requirements.task.plan?.input).toMatchObject({ rejected: null });
    expect(await plan.view()).toMatchObject({ phase: 'DESIGN', spec: 'executing_planning DESIGN' });
    expect((await plan.pass('DESIGN')).task.plan?.input['requirements']).toMatchObject(required().requirements);
    expect((await plan.pass('TASKS')).task.plan?.input).toMatchObject({ design: { overview: 'One file, two functions.' } });

    expect(await plan.view()).toMatchObject({ session: 'reviewing', state: 'done', spec: 'planning_complete SYNC' });
    const spec = await stages.app(tx => getSpecOfSession(tx, plan.sessionId));
    expect(spec).toMatchObject({ version: 1, name: 'Todo list' });
    expect(spec.card?.features.map(({ title }) => title)).toEqual(['Task 1', 'Task 2']);
    expect(spec.plan).toMatchObject({
      requirements: [{ id: 'R1' }, { id: 'R2' }],
      tasks: [{ id: 'T1', requirements: ['R1'] }, { id: 'T2' }],
    });
    expect((await plan.messages()).at(-1)?.text).toBe(
      'The spec "Todo list" is ready, with 2 requirements and 2 tasks. Approve it, or reject it with a reason and it is planned again.',
    );
    expect(await plan.runs()).toEqual([
      'CLARIFY accepted',
      'CLARIFY accepted',
      'REQUIREMENTS accepted',
      'DESIGN accepted',
      'TASKS accepted',
    ]);
  });

  test('all phases are made on one commit, whatever lands in the repository meanwhile', async () => {
    const repository = makeRepository({ 'a.txt': 'a' });
    const first = git(repository, 'rev-parse', 'HEAD');
    const plan = await planForTests(stages, { repository });
    git(repository, 'commit', '--quiet', '--allow-empty', '--message=second');
    await plan.pass('CLARIFY', clarified());
    expect((await plan.pass('REQUIREMENTS')).task.commit).toBe(first);
  });

  test('without a repository it begins from the empty commit', async () => {
    const plan = await planForTests(stages);
    const { task } = await plan.pass('CLARIFY', clarified());
    const repo = await stages.parts.depot.open(stages.projectId);
    expect(task.commit).toBe(await repo.merging.rootCommit());
  });

  test('a person is asked three times at most', async () => {
    const plan = await planForTests(stages);
    for (const round of [1, 2, 3]) {
      await plan.pass('CLARIFY', clarified(`Question of round ${round}?`));
      expect(await plan.view()).toMatchObject({ state: 'asking', rounds: round });
      await stages.app(tx => respondTo(tx, plan.sessionId, `answer ${round}`));
      await stages.drain();
    }
    expect(await plan.view()).toMatchObject({ state: 'working', phase: 'REQUIREMENTS' });
  });

  test('two answers at once begin one round, and both are heard', async () => {
    const plan = await planForTests(stages);
    await plan.pass('CLARIFY', clarified('Dark?'));
    await Promise.all(['one', 'two'].map(text => stages.app(tx => respondTo(tx, plan.sessionId, text))));
    await stages.drain();
    const phase = await plan.claim();
    expect(JSON.stringify(phase?.task.plan?.input)).toMatch(/"one".*"two"|"two".*"one"/);
    expect(await plan.claim()).toBeUndefined();
    await phase?.handIn(clarified());
    expect(await plan.runs()).toEqual(['CLARIFY accepted', 'CLARIFY accepted', 'REQUIREMENTS queued']);
  });

  test('a session that has a card, or a project without a planner, is not planned', async () => {
    const without = await stages.app(async tx => {
      const session = await openSession(tx, { description: 'd', projectId: stages.projectId });
      await openPlanning(tx, session);
      return session.id;
    });
    await stages.drain();
    expect(await stages.sql('select from runs')).toEqual([]);
    await expect(stages.app(tx => generateSpec(tx, without))).rejects.toMatchObject({
      code: 'no_model',
      hint: expect.stringContaining('skep project set p --planner MODEL') as unknown,
    });
  });
});

describe('generate-spec', () => {
  test('goes on at once with the defaults, and said again it changes nothing', async () => {
    const plan = await planForTests(stages);
    await plan.pass('CLARIFY', clarified('Dark?'));
    const generate = () => stages.app(tx => generateSpec(tx, plan.sessionId));
    const [first, second] = await Promise.all([generate(), generate()]);
    expect([first.spec?.id, first.spec?.status, first.spec?.card]).toEqual([second.spec?.id, 'executing_planning', null]);
    await stages.drain();
    await generate();
    await stages.drain();
    expect(await plan.runs()).toEqual(['CLARIFY accepted', 'REQUIREMENTS queued']);
    expect((await plan.view()).rounds).toBe(1);
  });

  test('ends the search for questions', async () => {
    const plan = await planForTests(stages);
    const phase = await plan.claim();
    await stages.app(tx => generateSpec(tx, plan.sessionId));
    await stages.drain();
    expect(await plan.runs()).toEqual(['CLARIFY cancelled', 'REQUIREMENTS queued']);
    await expect(phase?.handIn(clarified('Late?'))).rejects.toMatchObject({ code: 'lease_lost' });
  });

  test('plans a session that was opened before its project had a planner', async () => {
    const { id } = await stages.app(tx => openSession(tx, { description: 'old', projectId: stages.projectId }));
    await stages.sql(`update projects set planner = '{"model": "recorded/demo"}'`);
    const { spec } = await stages.app(tx => generateSpec(tx, id));
    expect(spec).toMatchObject({ status: 'executing_planning', phase: 'REQUIREMENTS', name: 'old', card: null });
    await stages.drain();
    expect((await stages.claim({ capabilities: ['plan'] }))?.run.subjectId).toBe(`${id}:REQUIREMENTS`);
  });

  test('is refused for what is reviewed', async () => {
    const plan = await planForTests(stages);
    await stages.app(tx => handInCard(tx, plan.sessionId, card));
    await stages.drain();
    await expect(stages.app(tx => generateSpec(tx, plan.sessionId))).rejects.toMatchObject({ code: 'wrong_state' });
  });
});

describe('an output that is not good', () => {
  test('is sent back with what is missing, three times; then a person is told, and can have it tried again from there', async () => {
    const plan = await planForTests(stages);
    await plan.pass('CLARIFY', clarified());
    await plan.pass('REQUIREMENTS');
    await plan.pass('DESIGN');
    await plan.pass('TASKS', tasked(1));
    const second = await plan.pass('TASKS', { tasks: 'none' });
    expect(second.task.feedback).toMatchObject({
      round: 1,
      text: expect.stringContaining('no task serves the requirement R2') as unknown,
    });
    const third = await plan.pass('TASKS', tasked(1));
    expect(third.task.feedback?.text).toMatch(/- tasks: /);
    expect(await plan.view()).toMatchObject({
      session: 'clarifying',
      state: 'stopped',
      phase: 'TASKS',
      spec: 'executing_planning TASKS',
    });
    const said = (await plan.messages()).at(-1);
    expect(said?.author).toBe('planner');
    expect(said?.text).toContain('Planning has stopped in the phase TASKS. The planner has tried 3 times.');
    expect(said?.text).toContain('no task serves the requirement R2');
    expect(said?.text).toContain('skep session generate');

    await stages.app(tx => generateSpec(tx, plan.sessionId));
    await stages.drain();
    const fourth = await plan.pass('TASKS');
    expect(fourth.task.feedback?.round).toBe(3);
    expect(await plan.view()).toMatchObject({ session: 'reviewing', state: 'done' });
    expect(await plan.runs()).toEqual([
      ...['CLARIFY accepted', 'REQUIREMENTS accepted', 'DESIGN accepted'],
      ...['TASKS returned', 'TASKS returned', 'TASKS returned', 'TASKS accepted'],
    ]);
  });

  test('nothing at all is no output', async () => {
    const plan = await planForTests(stages);
    const { claimed } = (await plan.claim()) ?? {};
    if (claimed === undefined) throw new Error('nothing to claim');
    await stages.engine(tx => submitRun(tx, { runId: claimed.run.id, token: claimed.token }, { summary: 'done!' }));
    await stages.drain();
    expect((await plan.claim())?.task.feedback?.text).toContain('- questions: ');
  });

  test('what was wrong in one round of questions is not told in the next', async () => {
    const plan = await planForTests(stages);
    await plan.pass('CLARIFY', { questions: [] });
    await plan.pass('CLARIFY', clarified('Dark?'));
    await stages.app(tx => respondTo(tx, plan.sessionId, 'yes'));
    await stages.drain();
    expect((await plan.claim())?.task.feedback).toBeNull();
  });
});

describe('what cannot go on', () => {
  test('a repository that cannot be read stops it with the reason; once mended it begins', async () => {
    const plan = await planForTests(stages, { repository: '/nonexistent/repository' });
    expect(await plan.view()).toMatchObject({ state: 'stopped', phase: 'CLARIFY', spec: null });
    expect((await plan.messages()).at(-1)?.text).toContain('/nonexistent/repository');
    await stages.sql('update projects set repository = $1', [makeRepository({ 'a.txt': 'a' })]);
    const { spec } = await stages.app(tx => generateSpec(tx, plan.sessionId));
    expect(spec).toBeUndefined();
    await stages.drain();
    await plan.pass('CLARIFY', clarified());
  });

  test('a run that fails for good stops it; one that can end otherwise is tried again', async () => {
    const plan = await planForTests(stages);
    const fail = async (failureClass: 'provider' | 'model') => {
      const { claimed } = (await plan.claim()) ?? {};
      if (claimed === undefined) throw new Error('nothing to claim');
      const holder = { runId: claimed.run.id, token: claimed.token };
      await stages.engine(tx =>
        failRun(tx, holder, { failureClass, message: 'there is no such model', settings: stages.settings }),
      );
      await stages.drain();
    };
    await fail('provider');
    expect(await plan.view()).toMatchObject({ state: 'working' });
    await fail('model');
    expect(await plan.view()).toMatchObject({ session: 'clarifying', state: 'stopped', reason: 'model: there is no such model' });
    await stages.app(tx => generateSpec(tx, plan.sessionId));
    await stages.drain();
    await plan.pass('CLARIFY', clarified());
  });

  test('a session that is cancelled ends its run, and the output that was under way is refused', async () => {
    const plan = await planForTests(stages);
    await plan.pass('CLARIFY', clarified());
    const phase = await plan.claim();
    await stages.app(tx => cancelSession(tx, plan.sessionId));
    await stages.drain();
    expect(await plan.view()).toMatchObject({ session: 'cancelled', state: 'stopped', spec: 'cancelled REQUIREMENTS' });
    await expect(phase?.handIn(required())).rejects.toMatchObject({ code: 'lease_lost' });
    expect(await plan.runs()).toEqual(['CLARIFY accepted', 'REQUIREMENTS cancelled']);
  });

  test('an output that was handed in just before counts for nothing', async () => {
    const plan = await planForTests(stages);
    const { claimed } = (await plan.claim()) ?? {};
    if (claimed === undefined) throw new Error('nothing to claim');
    const holder = { runId: claimed.run.id, token: claimed.token };
    await stages.engine(tx => submitRun(tx, holder, { summary: '', output: clarified('Late?') }));
    await stages.app(tx => cancelSession(tx, plan.sessionId));
    await stages.drain();
    expect(await plan.view()).toMatchObject({ session: 'cancelled', state: 'stopped', rounds: 0 });
    expect(await plan.runs()).toEqual(['CLARIFY cancelled']);
  });

  test('a card that is handed in ends the planning', async () => {
    const plan = await planForTests(stages);
    await plan.pass('CLARIFY', clarified());
    const phase = await plan.claim();
    await stages.app(tx => handInCard(tx, plan.sessionId, card));
    await stages.drain();
    expect(await plan.view()).toMatchObject({ session: 'reviewing', state: 'stopped', spec: 'planning_complete SYNC' });
    expect(await plan.runs()).toEqual(['CLARIFY accepted', 'REQUIREMENTS cancelled']);
    await expect(phase?.handIn(required())).rejects.toMatchObject({ code: 'lease_lost' });
    expect(await stages.app(tx => getSpecOfSession(tx, plan.sessionId))).toMatchObject({
      name: 'By hand',
      version: 1,
      plan: null,
    });
  });
});

describe('a spec that is rejected', () => {
  async function planned() {
    const plan = await planForTests(stages);
    await plan.pass('CLARIFY', clarified());
    for (const phase of ['REQUIREMENTS', 'DESIGN', 'TASKS'] as const) await plan.pass(phase);
    return plan;
  }

  test('is planned again from its requirements, with the reason; the next version is another one', async () => {
    const plan = await planned();
    await stages.app(tx => rejectSpec(tx, plan.sessionId, 'No export'));
    expect(await plan.view()).toMatchObject({
      session: 'clarifying',
      state: 'working',
      phase: 'REQUIREMENTS',
      spec: 'executing_planning REQUIREMENTS',
    });
    await stages.drain();
    const { task } = await plan.pass('REQUIREMENTS', required(1));
    expect(task.plan?.input['rejected']).toEqual({
      reason: 'No export',
      requirements: required().requirements.map(({ id, statement }) => ({ id, statement })),
      tasks: ['Task 1', 'Task 2'],
    });
    expect(task.feedback).toBeNull();
    const half = await stages.app(tx => getSpecOfSession(tx, plan.sessionId));
    expect(half.plan as SpecPlan).toMatchObject({ design: null, tasks: [] });
    await plan.pass('DESIGN');
    await plan.pass('TASKS', tasked(1));
    const spec = await stages.app(tx => getSpecOfSession(tx, plan.sessionId));
    expect([spec.version, spec.card?.features.length, spec.status]).toEqual([2, 1, 'planning_complete']);
  });

  test('made by hand, it waits for a person: another card, or generate-spec', async () => {
    const plan = await planForTests(stages);
    await stages.app(tx => handInCard(tx, plan.sessionId, card));
    await stages.app(tx => rejectSpec(tx, plan.sessionId, 'Too small'));
    await stages.drain();
    await stages.app(tx => generateSpec(tx, plan.sessionId));
    await stages.drain();
    const { task } = await plan.pass('REQUIREMENTS');
    expect(task.plan?.input['rejected']).toEqual({ reason: 'Too small', requirements: [], tasks: ['one'] });
  });
});

describe('said twice, lost, or both at once', () => {
  test('the same job again does nothing', async () => {
    const plan = await planForTests(stages);
    const again = () => planSession(stages.parts, stages.tenantId, plan.sessionId);
    await Promise.all([again(), again(), again()]);
    expect(await plan.runs()).toEqual(['CLARIFY queued']);
    const phase = await plan.claim();
    await phase?.handIn(clarified());
    const judge = () => stages.engine(tx => judgePhase(tx, phase?.claimed.run.id ?? ''));
    await Promise.all([judge(), judge(), again()]);
    expect(await plan.runs()).toEqual(['CLARIFY accepted', 'REQUIREMENTS queued']);
  });

  test('a run that is gone is missed by the net, and made again', async () => {
    const plan = await planForTests(stages);
    await plan.pass('CLARIFY', clarified());
    const missed = () => stages.parts.database.enginePool.query(planningsLeftAlone, [0]);
    expect(await missed()).toEqual([]);
    await stages.sql(`update runs set state = 'lost', ended_at = now() where state = 'queued'`);
    expect(await stages.ownerless()).toEqual([{ kind: 'planning', id: plan.sessionId, state: 'working' }]);
    expect(await missed()).toEqual([{ tenantId: stages.tenantId, id: plan.sessionId }]);
    await planSession(stages.parts, stages.tenantId, plan.sessionId);
    expect(await plan.runs()).toEqual(['CLARIFY accepted', 'REQUIREMENTS lost', 'REQUIREMENTS queued']);
    expect(await missed()).toEqual([]);
  });

  test('the net looks for answers, rejections and ends that no job has followed', async () => {
    const plan = await planForTests(stages);
    const missed = async () => (await stages.parts.database.enginePool.query(planningsLeftAlone, [0])).length;
    await plan.pass('CLARIFY', clarified('Dark?'));
    expect(await missed()).toBe(0);
    await stages.app(tx => answerSession(tx, plan.sessionId, 'yes'));
    expect(await missed()).toBe(1);
    await planSession(stages.parts, stages.tenantId, plan.sessionId);
    for (const phase of ['CLARIFY', 'REQUIREMENTS', 'DESIGN', 'TASKS'] as const) await plan.pass(phase);
    expect(await missed()).toBe(0);
    await stages.app(tx => rejectSession(tx, plan.sessionId, 'no'));
    expect(await missed()).toBe(1);
    await planSession(stages.parts, stages.tenantId, plan.sessionId);
    expect(await plan.view()).toMatchObject({ state: 'working', phase: 'REQUIREMENTS' });
    await stages.sql(`update sessions set state = 'cancelled'; update specs set status = 'cancelled'`);
    expect(await missed()).toBe(1);
    await planSession(stages.parts, stages.tenantId, plan.sessionId);
    expect([await missed(), (await plan.view()).state]).toEqual([0, 'stopped']);
  });

  test('an output that nobody has looked at is found', async () => {
    const plan = await planForTests(stages);
    const { claimed } = (await plan.claim()) ?? {};
    if (claimed === undefined) throw new Error('nothing to claim');
    await stages.engine(tx =>
      submitRun(tx, { runId: claimed.run.id, token: claimed.token }, { summary: '', output: clarified() }),
    );
    const found = await stages.parts.database.enginePool.query(outputsWithoutVerdict, [0]);
    expect(found).toEqual([{ tenantId: stages.tenantId, id: claimed.run.id }]);
    await stages.drain();
  });
});

const card: SpecCard = {
  name: 'By hand',
  description: '',
  features: [{ title: 'one', description: '', acceptance_criteria: [] }],
  technical_requirements: [],
};
