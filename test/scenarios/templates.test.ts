import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { WireRun } from '../../contract/runs.ts';
import { createBreakerStore } from '../../src/gateway/store/breakers.ts';
import { skep } from '../harness/cli.ts';
import { query } from '../harness/database.ts';
import { until } from '../harness/process.ts';
import { type TestApi, testApi } from '../harness/server.ts';
import { makeRepository, script, startWorker } from '../harness/worker.ts';

const home = mkdtempSync(join(tmpdir(), 'skep-templates-'));
const models = join(home, 'models.json');
let api: TestApi;
let count = 0;
let project: string;

beforeAll(async () => {
  // Nobody is asked: a model that has a provider has a breaker.
  const nobody = { kind: 'openai-compatible', base_url: 'http://127.0.0.1:9/v1' };
  writeFileSync(models, JSON.stringify({ providers: { nobody } }));
  api = await testApi({ SKEP_MODELS: models });
});
afterAll(async () => {
  await api.stop();
  rmSync(home, { recursive: true, force: true });
});

/** Writes down who it is, and its prompt where it has one. */
const agent = script(
  'echo "I am $1"',
  `node -e 'console.log("told: " + JSON.parse(require("fs").readFileSync(process.env.SKEP_TICKET)).template?.prompt)'`,
  'echo "$1" > "$SKEP_TICKET_ID.txt"',
);

beforeEach(async () => {
  const repository = makeRepository({ 'agent.sh': agent });
  const made = await api.call('POST', '/api/projects', { name: `p${++count}`, repository, checks: [] });
  project = String(made.body['id']);
});

/** As a person types it. */
async function typed(...words: readonly string[]): Promise<string> {
  const { code, out, err } = await skep(words, { cwd: home, env: { SKEP_SERVER: api.url, SKEP_TOKEN: api.adminToken } });
  if (code !== 0) throw new Error(`skep ${words.join(' ')}: ${err}`);
  return out;
}

const write = (name: string, more = '') =>
  writeFileSync(join(home, `${name}.yaml`), `name: ${name}\nagent:\n  kind: exec\n  command: [./agent.sh, ${name}]\n${more}`);
const open = async (type: string) =>
  String((await api.call('POST', '/api/tickets', { project_id: project, title: type, type })).body['id']);

async function runOf(ticket: string): Promise<WireRun | undefined> {
  const { body } = await api.call('GET', `/api/runs?ticket_id=${ticket}`);
  return (body['runs'] as WireRun[]).find(run => run.subject_type === 'ticket');
}
const runWhere = (ticket: string, what: string, holds: (run: WireRun) => boolean) =>
  until(what, async () => {
    const run = await runOf(ticket);
    return run !== undefined && holds(run) ? run : undefined;
  });

const countOf = async (path: string, name: string) =>
  ((await api.call('GET', `/api/${path}`)).body[name] as readonly unknown[]).length;

/** Lets a worker do what waits. */
async function worked<T>(body: () => Promise<T>): Promise<T> {
  const worker = await startWorker(api, { token: api.adminToken, folder: join(home, `worker${count}`) });
  try {
    return await body();
  } finally {
    await worker.stop({ graceMs: 0 });
  }
}
const completed = (ticket: string) =>
  until('the ticket completed', async () => {
    const { status } = (await api.call('GET', `/api/tickets/${ticket}`)).body;
    if (status === 'failed') throw new Error(`${ticket} failed`);
    return status === 'completed' ? true : undefined;
  });

test('two types of tickets are worked on by two templates, and each run says by which', async () => {
  write('careful', 'prompt: first a test\n');
  write('quick');
  expect(await typed('template', 'import', 'careful.yaml', 'quick.yaml')).toBe('careful@1  new\nquick@1  new\n');
  await typed('project', 'set', `p${count}`, '--route', 'bug=careful', '--default-template', 'quick');
  const [bug, task] = [await open('bug'), await open('task')];
  await worked(() => Promise.all([completed(bug), completed(task)]));

  for (const [ticket, name, prompt] of [
    [bug, 'careful', 'first a test'],
    [task, 'quick', ''],
  ] as const) {
    const run = await runOf(ticket);
    expect(run).toMatchObject({ template: `${name}@1`, fallback_of: null });
    expect(await typed('run', 'show', run?.id ?? '')).toContain(`template  ${name}@1\n`);
    expect(await typed('run', 'log', run?.id ?? '')).toBe(`I am ${name}\ntold: ${prompt}\n`);
  }
});

test('who claims is told the agent, the prompt and the limits of the template, which never exceed those of the server', async () => {
  const limits = 'limits: { memory_bytes: 33554432, process_count: 100000, output_bytes_max: 5000 }\n';
  write('small', `  timeout_ms: 7000\nprompt: be brief\n${limits}`);
  const { code, out, err } = await skep(['template', 'put', 'small.yaml'], {
    cwd: home,
    env: { SKEP_SERVER: api.url, SKEP_TOKEN: api.adminToken },
  });
  const warning =
    'limits.process_count: 100000 is more than the server allows a run: 256 will hold (its setting SKEP_RUN_PROCESSES)';
  expect([code, out, err]).toEqual([0, 'small@1  new\n', `small@1: warning: ${warning}\n`]);
  await typed('project', 'set', `p${count}`, '--default-template', 'small');
  const ticket = await open('task');
  const claim = { worker: 'w', wait_ms: 30_000, ticket_id: ticket };
  const { body } = await api.call('POST', '/api/claim', claim);
  expect(body).toMatchObject({
    run: { template: 'small@1' },
    agent: { kind: 'exec', command: ['./agent.sh', 'small'], timeout_ms: 7_000 },
    template: { id: 'small@1', prompt: 'be brief', tools: null },
    limits: { memory_bytes: 33_554_432, process_count: 256, output_bytes_max: 5_000, cpu_count: 2 },
  });
  await api.call('POST', `/api/tickets/${ticket}/cancel`, {});
});

test('while the breaker of a model is open its fallback works, and then it works again', async () => {
  write('second');
  write('first', '  model: nobody/m\nfallback: [second]\n');
  await typed('template', 'import', 'first.yaml', 'second.yaml');
  await typed('project', 'set', `p${count}`, '--default-template', 'first');
  const [waiting, later] = [await open('bug'), await open('task')];
  await runWhere(waiting, 'it is routed', ({ template }) => template === 'first@1');

  // As the gateway does when calls fail in a row, and when one goes again.
  const [row] = await query<{ id: string }>(api.superuserUrl, 'select tenant_id as id from skep.projects where id = $1', [
    project,
  ]);
  const key = { tenantId: row?.id ?? '', provider: 'nobody', model: 'm' };
  const store = createBreakerStore(api.database);
  await store.save(key, { state: {}, retryMs: 3_600_000, news: 'breaker.opened' });
  for (const ticket of [waiting, later]) await runWhere(ticket, 'it has gone over', run => run.fallback_of === 'first@1');
  await worked(() => Promise.all([completed(waiting), completed(later)]));
  const run = await runOf(waiting);
  expect(await typed('run', 'log', run?.id ?? '')).toContain('I am second\n');
  expect(await typed('run', 'show', run?.id ?? '')).toContain('second@1, in the place of first@1, whose model did not answer\n');
  expect(await typed('events', '--subject', run?.id ?? '', '--json')).toContain('nobody/m does not answer: the breaker is open');

  const last = await open('feature');
  await runWhere(last, 'it goes over at once', ({ template }) => template === 'second@1');
  await store.save(key, { state: {}, retryMs: null, news: 'breaker.closed' });
  await runWhere(last, 'it is back', ({ template }) => template === 'first@1');
  await worked(() => completed(last));
  expect(await typed('run', 'log', (await runOf(last))?.id ?? '')).toContain('I am first\n');
});

test('a build is refused before it begins where a template that it may come to cannot be used', async () => {
  write('lost', '  model: elsewhere/m\n');
  write('steady', 'fallback: [lost]\n');
  writeFileSync(join(home, 'fixed.yaml'), 'name: fixed\nagent:\n  kind: claude\n  model: nobody/m\n');
  await typed('template', 'import', 'steady.yaml', 'lost.yaml', 'fixed.yaml');
  writeFileSync(join(home, 'card.json'), JSON.stringify({ name: 'List', features: [{ title: 'List' }] }));
  const [sessions, projects] = [() => countOf('hitl', 'sessions'), () => countOf('projects', 'projects')];
  const before = [await sessions(), await projects()];
  const repository = makeRepository({ 'agent.sh': agent });
  const build = () =>
    skep(['build', '--yes', '--json', '--repo', repository, '--spec', 'card.json', '--no-checks'], {
      ...{ cwd: home, env: { SKEP_SERVER: api.url, SKEP_TOKEN: api.adminToken } },
    });
  const refusal = async () => JSON.parse((await build()).err) as unknown;

  await typed('template', 'route', '--default-template', 'lost');
  expect(await refusal()).toMatchObject({
    ...{ code: 'unknown_model', template: 'lost@1', field: 'agent.model' },
    error:
      'The template lost@1, which works on what is a feature, cannot be used: agent.model: There is no model provider "elsewhere"',
    hint: expect.stringMatching(/^There are models of nobody\/…\. Or put a version of the template with another agent\.model/),
  });
  expect([await sessions(), await projects()]).toEqual(before);

  await typed('template', 'route', '--no-router');
  await api.call('POST', '/api/projects', {
    name: 'routed',
    repository,
    agent: { kind: 'exec', command: ['./agent.sh', 'own'] },
  });
  await typed('project', 'set', 'routed', '--route', 'feature=fixed@1');
  expect(await refusal()).toMatchObject({
    ...{ template: 'fixed@1', field: 'agent.model' },
    error: expect.stringContaining('The model "nobody/m" is not reached over Anthropic Messages'),
  });
  expect(await sessions()).toBe(before[0]);

  // What it cannot come to, and what only stands in, is no reason.
  await typed('project', 'set', 'routed', '--route', 'bug=fixed@1', '--route', 'feature=steady');
  const done = await worked(build);
  expect(done).toMatchObject({ code: 0 });
  expect(done.out).toContain('The template lost@1, which stands in for steady@1, cannot be used');
});

test('what is exported is what was put, and works elsewhere', async () => {
  write('base', 'prompt: from the base\n');
  const source = '# mine\r\nname: mine\r\nextends: base\r\nagent:\r\n  timeout_ms: 5000';
  writeFileSync(join(home, 'mine.yaml'), source);
  await typed('template', 'import', 'mine.yaml', 'base.yaml');
  expect(await typed('template', 'export', 'mine')).toBe(source);
  const flat = await typed('template', 'export', 'mine@1', '--flat');
  writeFileSync(join(home, 'mine.yaml'), flat);

  const other = await testApi();
  try {
    const env = { SKEP_SERVER: other.url, SKEP_TOKEN: other.adminToken };
    expect((await skep(['template', 'put', '-'], { env, stdin: source })).err).toContain(
      'stdin:3:1: extends: there is no template base',
    );
    expect(await skep(['template', 'put', 'mine.yaml'], { cwd: home, env })).toMatchObject({ code: 0, out: 'mine@1  new\n' });
    const shown = async (server: Record<string, string>) => {
      const { out } = await skep(['template', 'show', 'mine', '--json'], { env: server });
      const { agent: kind, prompt } = JSON.parse(out) as Record<string, unknown>;
      return { kind, prompt };
    };
    expect(await shown(env)).toEqual(await shown({ SKEP_SERVER: api.url, SKEP_TOKEN: api.adminToken }));
  } finally {
    await other.stop();
  }
  expect(flat).toContain('prompt: from the base\n');
});
