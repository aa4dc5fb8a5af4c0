import { expect, test } from 'vitest';
import { createGate } from '../../../../test/harness/gate.ts';
import { until } from '../../../../test/harness/process.ts';
import { type Stages, useStages } from '../../../../test/harness/stages.ts';
import { siteForTests } from '../../../../test/harness/work.ts';
import { editProject, getProject } from '../../../support/projects/index.ts';
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
