import { afterAll, beforeAll, expect, test } from 'vitest';
import { answers } from '../../../test/harness/model-answers.ts';
import { startTestGateway, type TestGateway } from '../../../test/harness/gateway.ts';
import { putTemplates } from '../../support/templates/verbs.ts';

// What a template allows a run of its model.

let at: TestGateway;
beforeAll(async () => {
  at = await startTestGateway();
});
afterAll(() => at.close());

/** The run is worked on by a template with these limits, and has made no calls yet. */
async function limited(limits: string): Promise<void> {
  const source = `name: few\nagent: { kind: exec, command: [a], model: local/m }\nlimits: ${limits}\n`;
  const [put] = await at.stages.app(tx => putTemplates(tx, [{ file: 'few.yaml', source }]));
  await at.stages.sql('delete from model_calls where run_id = $1', [at.runId]);
  await at.stages.sql('update runs set template = $2, halt = null where id = $1', [at.runId, put?.row.id]);
}
const ask = async () => {
  at.local.answer({ parts: [answers.chat.whole] });
  const answer = await at.askWire('chat', { isStream: false });
  return [answer.status, ((await answer.json()) as { error?: { code?: string } }).error?.code];
};

test('turns are held: the next call is refused, asks nobody, and halts the run', async () => {
  await limited('{ turns_max: 2 }');
  expect([await ask(), await ask()]).toEqual([
    [200, undefined],
    [200, undefined],
  ]);
  const asked = at.local.requests.length;
  expect(await ask()).toEqual([403, 'run_limit']);
  expect(at.local.requests).toHaveLength(asked);
  expect(await at.haltOf()).toEqual({
    kind: 'limit',
    message: 'The run has asked its model 2 times, which is as much as its template allows (limits.turns_max)',
  });
});

test('tokens are held, also where nothing is said of turns', async () => {
  await limited('{ tokens_max: 1000 }');
  expect(await ask()).toEqual([200, undefined]);
  expect(await ask()).toEqual([200, undefined]);
  await at.stages.sql('update model_calls set charged_tokens = 500 where run_id = $1', [at.runId]);
  expect(await ask()).toEqual([403, 'run_limit']);
  expect((await at.haltOf())?.message).toContain('has used 1000 tokens');
});
