import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { answers, askOf } from '../harness/model-answers.ts';
import { tempFolder } from '../harness/process.ts';
import { type ScriptedModel, startScriptedModel } from '../harness/scripted-model.ts';
import { type TestApi, testApi } from '../harness/server.ts';

const folder = tempFolder();
const file = join(folder, 'models.json');
const key = 'sk-of-the-server-alone';
const variable = 'SKEP_TEST_MODEL_KEY';

let model: ScriptedModel;
let api: TestApi;
beforeAll(async () => {
  model = await startScriptedModel();
  process.env[variable] = key;
  const settings = {
    providers: { local: { kind: 'anthropic', base_url: model.url, key_env: variable } },
    aliases: { fast: ['local/m'] },
    prices: { 'local/m': { input: 1, output: 2, cached: 0.1 } },
  };
  writeFileSync(file, JSON.stringify(settings));
  api = await testApi({ SKEP_MODELS: file });
});
afterAll(async () => {
  delete process.env[variable];
  await api.stop();
  await model.close();
  rmSync(folder, { recursive: true, force: true });
});

test('what a claim is given opens the gateway of the server while the run lives, and what is asked there is metered', async () => {
  await api.call('POST', '/api/projects', { name: 'p', agent: { kind: 'exec', command: ['true'] } });
  const projects = await api.call('GET', '/api/projects');
  const [{ id } = { id: '' }] = projects.body['projects'] as { id: string }[];
  await api.call('POST', '/api/tickets', { project_id: id, title: 'x' });
  const claimed = (
    await api.call('POST', '/api/claim', { worker: 'w', capabilities: ['agent:exec', 'isolation:namespaces'], wait_ms: 10_000 })
  ).body;
  const { run, lease, gateway } = claimed as Record<string, Record<string, string>>;
  model.answer({ parts: answers.anthropic.events });
  const { path, body } = askOf('anthropic', { model: 'fast' });
  const ask = () =>
    fetch(api.url + path, { method: 'POST', headers: { 'x-api-key': gateway?.['token'] ?? '' }, body: JSON.stringify(body) });

  const answer = await ask();
  expect([answer.status, await answer.text()]).toEqual([200, answers.anthropic.events.join('')]);
  expect(model.requests).toMatchObject([{ path: '/v1/messages', headers: { 'x-api-key': key } }]);
  const costs = JSON.stringify((await api.call('GET', '/api/costs?by=model')).body);
  expect(costs).toContain('"local/m"');
  expect(costs).not.toContain(key);

  const failed = await api.call('POST', '/api/fail', {
    run_id: run?.['id'],
    token: lease?.['token'],
    class: 'agent_failed',
    message: 'x',
  });
  expect(failed.status).toBe(200);
  expect((await ask()).status).toBe(401);
  expect(model.requests).toHaveLength(1);
});

test('people are told which models there are, and of one that cannot be asked what to do about it', async () => {
  const ask = async (query: string) => {
    const { status, body } = await api.call('GET', `/api/models${query}`);
    return { status, models: body['models'], error: String(body['error']), hint: String(body['hint']) };
  };
  const local = { name: 'local/m', wires: ['anthropic'], is_recorded: false };
  expect(await ask('')).toMatchObject({
    status: 200,
    models: expect.arrayContaining([local, { ...local, name: 'fast' }]) as unknown,
  });
  expect(await ask('?name=fast&wire=anthropic')).toMatchObject({ status: 200, models: [{ ...local, name: 'fast' }] });
  const otherWire = await ask('?name=fast&wire=responses');
  expect([otherWire.status, otherWire.error]).toEqual([404, expect.stringContaining('not reached over')]);
  const noKey = await ask('?name=openai/gpt-5-codex');
  expect([noKey.status, noKey.hint]).toEqual([422, expect.stringContaining('OPENAI_API_KEY')]);
  const unknown = await ask('?name=nobody/nothing');
  expect([unknown.status, unknown.hint]).toEqual([404, expect.stringContaining('local/')]);
  expect((await ask('?name=not%20a%20name')).status).toBe(400);
  expect(JSON.stringify(await ask(''))).not.toContain(key);
});
