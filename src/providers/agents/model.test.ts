import { symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Agent } from '../../../contract/projects.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { scriptedModel } from '../../../test/harness/model.ts';
import type { ModelAnswer } from '../../../test/harness/model.ts';
import { startScriptedServer } from '../../../test/harness/scripted-server.ts';
import type { QueuedTask, ScriptedServer } from '../../../test/harness/scripted-server.ts';
import { git, makeRepository, startWorker, temporaryFolder } from '../../../test/harness/worker.ts';
import type { TestWorker } from '../../../test/harness/worker.ts';
import { createModelAgent } from './model.ts';

let server: ScriptedServer;
let worker: TestWorker;

beforeAll(async () => {
  server = await startScriptedServer();
  worker = await startWorker(server, { agents: [createModelAgent()] });
});
afterAll(async () => {
  await worker.stop({ graceMs: 0 });
  await server.close();
});

const agent: Agent = { kind: 'model', model: 'recorded/demo', output: 'docs/hello.md', files: ['*.md'] };

/** A run of a plain model in a real sandbox, to its end. */
async function run(answers: readonly ModelAnswer[], task: QueuedTask = {}) {
  const model = scriptedModel(answers);
  server.onGateway(model.listener);
  const repository = makeRepository({ 'README.md': '# Demo\n' });
  const queued = server.queue({ repository, agent, ...task });
  await server.until(() => ['submitted', 'parked', 'failed', 'lost'].includes(queued.state));
  return { run: queued, asked: model.asked, repository };
}

/** A file of what was handed in. */
function handedIn(repository: string, bundle: Buffer | undefined, path: string): string {
  const file = join(temporaryFolder(), 'work.bundle');
  writeFileSync(file, bundle ?? '');
  git(repository, 'fetch', '--quiet', file, '+refs/heads/*:refs/handed-in/*');
  const ref = git(repository, 'for-each-ref', '--format=%(refname)', 'refs/handed-in').split('\n')[0] ?? '';
  return git(repository, 'show', `${ref}:${path}`);
}

test('its answer is the work of the run', async () => {
  const { run: it, asked, repository } = await run([{ text: '# Bonjour' }]);
  expect(it.failure).toBeUndefined();
  expect(it.state).toBe('submitted');
  expect(handedIn(repository, it.bundle, 'docs/hello.md')).toBe('# Bonjour');
  expect(JSON.stringify(asked[0]?.body)).toContain('# Demo');
  expect(it.log.toString()).toContain('asking recorded/demo for docs/hello.md, which is new; 1 other files shown');
  expect(it.log.toString()).toContain('# Bonjour\n(1 tokens in, 1 out, as the agent counts)');
  expect(it.events.find(({ type }) => type === 'agent.ended')?.payload).toMatchObject({ stop_reason: 'end_turn' });
});

test('it is told what a review has found', async () => {
  const { asked } = await run([{ text: 'x' }], { feedback: { round: 1, text: 'The date is wrong', checks: [] } });
  expect(JSON.stringify(asked[0]?.body)).toContain('The date is wrong');
});

describe('what does not come to a file', () => {
  test.each([
    ['a model that is not there', [{ status: 404, message: 'no such model' }], 'model', 'no such model'],
    ['a provider that is away', [503, 503].map(status => ({ status, message: 'away' })), 'provider', 'answers 503: away'],
    ['an answer that was cut off', [{ text: 'Bon', end: 'length' as const }], 'agent_failed', 'the limit of the model'],
    ['an empty answer', [{ text: '' }], 'agent_failed', 'answered nothing'],
  ] as const)('%s', async (...[, answers, failure, message]) => {
    const { run: it } = await run(answers);
    expect(it.failure?.class).toBe(failure);
    expect(it.failure?.message).toContain(message);
  });

  test('a file to which a link leads', async () => {
    const repository = makeRepository({ 'README.md': '# Demo\n' });
    git(repository, 'config', 'core.symlinks', 'true');
    symlinkSync('/tmp', join(repository, 'docs'));
    git(repository, 'add', '--all');
    git(repository, 'commit', '--quiet', '--message=link');
    const { run: it, asked } = await run([{ text: 'x' }], { repository });
    expect(it.failure).toMatchObject({ class: 'invalid_task' });
    expect(it.failure?.message).toContain('docs is a symbolic link');
    expect(asked).toEqual([]);
  });

  test('the same as before is no work', async () => {
    const repository = makeRepository({ 'docs/hello.md': 'Bonjour\n' });
    const { run: it } = await run([{ text: 'Bonjour' }], { repository });
    expect(it.failure?.class).toBe('no_changes');
  });

  test('a spent budget parks the run', async () => {
    const model = scriptedModel([{ status: 402, message: 'The budget is spent' }]);
    const repository = makeRepository({ 'README.md': '# Demo\n' });
    const queued = server.queue({ repository, agent });
    server.onGateway((request, response) => {
      queued.halt({ kind: 'budget', message: 'The budget is spent' });
      model.listener(request, response);
    });
    await server.until(() => ['submitted', 'parked', 'failed', 'lost'].includes(queued.state));
    expect(queued.state).toBe('parked');
  });
});
