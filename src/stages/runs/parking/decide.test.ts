import { expect, test } from 'vitest';
import type { Agent } from '../../../../contract/projects.ts';
import type { Router } from '../../../../contract/templates/router.ts';
import { createGate } from '../../../../test/harness/gate.ts';
import { until } from '../../../../test/harness/process.ts';
import { type Stages, useStages } from '../../../../test/harness/stages.ts';
import { siteForTests } from '../../../../test/harness/work.ts';
import type { Fault } from '../../../kernel/fault.ts';
import { editProject, getProject } from '../../../support/projects/index.ts';
import { putTemplates } from '../../../support/templates/verbs.ts';
import { decideQuestion } from './decide.ts';

let stages: Stages;
useStages(each => (stages = each));

test('another model changes the model of the agent and nothing else that is set at the same time', async () => {
  const site = await siteForTests(stages);
  const attempt = await site.start(site.ticketIds[0] ?? '');
  attempt.commit({ 'half.txt': 'half\n' });
  const questionId = await attempt.park();
  const [changed, goOn] = [createGate(), createGate()];
  const changing = stages.app(async tx => {
    await editProject(tx, stages.projectId, { agent: { kind: 'codex', model: 'openai/gpt-5', timeout_ms: 60_000 } });
    changed.open();
    await goOn.passed;
  });
  await changed.passed;
  const deciding = stages.app(tx => decideQuestion(tx, { id: questionId, answer: 'model:openai/gpt-5-mini' }, stages.settings));
  const waiting = `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
  await until('the decision to wait', async () => ((await stages.sql(waiting)).length > 0 ? true : undefined));
  goOn.open();
  await Promise.all([changing, deciding]);
  const { agent } = await stages.app(tx => getProject(tx, stages.projectId));
  expect(agent).toEqual({ kind: 'codex', model: 'openai/gpt-5-mini', timeout_ms: 60_000 });
  await stages.drain();
});

const mini = 'openai/gpt-5-mini';
const put = async (model: string) => {
  const source = `name: mine\nagent: { kind: exec, command: [a], model: ${model} }\n`;
  await stages.app(tx => putTemplates(tx, [{ file: 'mine', source }]));
  await stages.drain();
};
const route = async (router: Router | null) => {
  await stages.app(tx => editProject(tx, stages.projectId, { router }));
  await stages.drain();
};
const parked = async () => {
  const site = await siteForTests(stages);
  const [ticketId = ''] = site.ticketIds;
  const attempt = await site.start(ticketId);
  attempt.commit({ 'half.txt': 'half\n' });
  const questionId = await attempt.park();
  const runs = () => stages.sql('select state, template from runs where subject_id = $1 order by attempt', [ticketId]);
  return {
    answer: () => stages.app(tx => decideQuestion(tx, { id: questionId, answer: `model:${mini}` }, stages.settings)),
    runs: async () => {
      await stages.drain();
      return runs();
    },
  };
};
const refusal = async (work: Promise<unknown>) => {
  const { message, hint } = await work.then(
    () => Promise.reject(new Error('it was not refused')),
    (error: Fault) => error,
  );
  return [message, hint];
};

test('another model for what works by a template is taken once a version of it has that model', async () => {
  await put('openai/gpt-5');
  await route({ routes: [], default: 'mine' });
  const { answer, runs } = await parked();
  expect(await refusal(answer())).toEqual([
    'answer: what waits works by the template mine@1, whose model is openai/gpt-5',
    `Put a version of mine with ${mini} first (skep template put), then answer the same again`,
  ]);
  await put(mini);
  expect((await answer()).state).toBe('answered');
  expect(await runs()).toEqual([
    { state: 'returned', template: 'mine@1' },
    { state: 'queued', template: 'mine@2' },
  ]);
});

test('where a route stays at a version that has another model, it is the route that is to be changed', async () => {
  await put('openai/gpt-5');
  await route({ routes: [{ types: ['feature', 'task', 'bug'], template: 'mine@1' }] });
  await put(mini);
  const { answer, runs } = await parked();
  expect(await refusal(answer())).toEqual([
    'answer: what waits works by the template mine@1, whose model is openai/gpt-5',
    expect.stringMatching(/^The route of the project [(]skep project set p --route …[)] stays at mine@1: /),
  ]);
  await route({ routes: [], default: 'mine@2' });
  expect((await answer()).state).toBe('answered');
  expect(await runs()).toMatchObject([{ template: 'mine@1' }, { state: 'queued', template: 'mine@2' }]);
});

test('what has worked by a template and will not any more goes on with the agent of its project, whose model is changed', async () => {
  await put('openai/gpt-5');
  await route({ routes: [], default: 'mine' });
  const { answer, runs } = await parked();
  await route(null);
  const agent: Agent = { kind: 'exec', command: ['true'] };
  await stages.app(tx => editProject(tx, stages.projectId, { agent: { ...agent, model: 'openai/gpt-5' } }));
  expect((await answer()).state).toBe('answered');
  expect(await stages.app(tx => getProject(tx, stages.projectId))).toMatchObject({ agent: { ...agent, model: mini } });
  expect(await runs()).toMatchObject([{ template: 'mine@1' }, { state: 'queued', template: null }]);
});

test('what has worked by the agent of its project and will go on by a template needs the model of that', async () => {
  await put('openai/gpt-5');
  const { answer } = await parked();
  await route({ routes: [], default: 'mine' });
  expect((await refusal(answer()))[0]).toContain('works by the template mine@1, whose model is openai/gpt-5');
  await put(mini);
  expect((await answer()).state).toBe('answered');
  await stages.drain();
});
