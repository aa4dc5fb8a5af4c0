import { expect, test } from 'vitest';
import { createGate } from '../../../../test/harness/gate.ts';
import { until } from '../../../../test/harness/process.ts';
import { type Stages, useStages } from '../../../../test/harness/stages.ts';
import { siteForTests } from '../../../../test/harness/work.ts';
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
  const deciding = stages.app(tx => decideQuestion(tx, questionId, 'model:openai/gpt-5-mini'));
  const waiting = `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
  await until('the decision to wait', async () => ((await stages.sql(waiting)).length > 0 ? true : undefined));
  goOn.open();
  await Promise.all([changing, deciding]);
  const { agent } = await stages.app(tx => getProject(tx, stages.projectId));
  expect(agent).toEqual({ kind: 'codex', model: 'openai/gpt-5-mini', timeout_ms: 60_000 });
  await stages.drain();
});

test('another model for what works by a template is taken once a version of it has that model', async () => {
  const put = async (model: string) => {
    const source = `name: mine\nagent: { kind: exec, command: [a], model: ${model} }\n`;
    await stages.app(tx => putTemplates(tx, [{ file: 'mine', source }]));
    await stages.drain();
  };
  await put('openai/gpt-5');
  await stages.app(tx => editProject(tx, stages.projectId, { router: { routes: [], default: 'mine' } }));
  const site = await siteForTests(stages);
  const attempt = await site.start(site.ticketIds[0] ?? '');
  attempt.commit({ 'half.txt': 'half\n' });
  const questionId = await attempt.park();
  const answer = () => stages.app(tx => decideQuestion(tx, questionId, 'model:openai/gpt-5-mini'));
  await expect(answer()).rejects.toThrow('what waits works by the template mine@1, whose model is openai/gpt-5');
  await put('openai/gpt-5-mini');
  expect((await answer()).state).toBe('answered');
  await stages.drain();
  const next = await stages.sql(`select state, template from runs where subject_id = $1 order by attempt`, [site.ticketIds[0]]);
  expect(next).toEqual([
    { state: 'returned', template: 'mine@1' },
    { state: 'queued', template: 'mine@2' },
  ]);
});
