import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { scriptedModel } from '../../../../test/harness/model.ts';
import type { ModelAnswer } from '../../../../test/harness/model.ts';
import { clarified, required } from '../../../../test/harness/plans.ts';
import { startScriptedServer } from '../../../../test/harness/scripted-server.ts';
import type { QueuedRun, QueuedTask, ScriptedServer } from '../../../../test/harness/scripted-server.ts';
import { makeRepository, startWorker } from '../../../../test/harness/worker.ts';
import type { TestWorker } from '../../../../test/harness/worker.ts';

let server: ScriptedServer;
let worker: TestWorker;

beforeAll(async () => {
  server = await startScriptedServer();
  worker = await startWorker(server, { slots: 1 });
});
afterAll(async () => {
  await worker.stop({ graceMs: 0 });
  await server.close();
});

const clarify = { phase: 'CLARIFY', input: { idea: 'A list' }, model: 'recorded/demo' } as const;

/** The run of a phase, in a real sandbox before a scripted model, to its end. */
async function planned(answers: readonly ModelAnswer[], task: QueuedTask = {}) {
  const model = scriptedModel(answers);
  server.onGateway(model.listener);
  const repository = makeRepository({ 'README.md': '# Demo\n', 'src/index.js': 'export {};\n' });
  const run = server.queue({ subject: 'spec_phase', repository, plan: clarify, ...task });
  await over(run);
  return { run, asked: model.asked };
}

function over(run: QueuedRun): Promise<void> {
  return server.until(() => run.state === 'submitted' || run.state === 'failed' || run.state === 'parked');
}

test('the planner sees the repository and the gateway, and its document is the result', async () => {
  const { run, asked } = await planned([{ object: clarified('Dark?') }]);
  expect(run.failure).toBeUndefined();
  expect(run.capabilities).toContain('plan');
  expect(run.result).toMatchObject({ summary: 'CLARIFY planned', output: clarified('Dark?') });
  expect(run.result?.bundle).toBeUndefined();
  expect(asked[0]?.path).toBe('/gateway/v1/chat/completions');
  expect(asked[0]?.authorization).toMatch(/^Bearer .+/);
  expect(JSON.stringify(asked[0]?.body)).toContain('src/index.js');
  expect(run.log.toString()).toContain('CLARIFY: 2 files, 2 looked at; asking recorded/demo');
  const token = asked[0]?.authorization?.slice('Bearer '.length) ?? '';
  expect(run.log.toString()).not.toContain(token);
  expect(run.events.map(({ payload }) => payload['phase'])).toEqual(['prepare_sandbox', 'check_out', 'plan', 'submit']);
});

test('the model is told what was wrong with the last try', async () => {
  const plan = { ...clarify, phase: 'REQUIREMENTS' } as const;
  const { run, asked } = await planned([{ object: required() }], {
    plan,
    feedback: { round: 1, text: 'R1 is not EARS', checks: [] },
  });
  expect(run.result?.output).toEqual(required());
  expect(JSON.stringify(asked[0]?.body)).toContain('R1 is not EARS');
});

test('what no database takes is taken out of the document', async () => {
  const { run } = await planned([{ object: { ...clarified(), understanding: 'a\0b\ud800c' } }]);
  expect(run.result?.output?.['understanding']).toBe('ab\ufffdc');
});

describe('what does not come to an answer', () => {
  test.each([
    {
      what: 'a model that is not there',
      answers: [{ status: 404, message: 'There is no such model' }],
      failure: { class: 'model', message: 'There is no such model' },
    },
    {
      what: 'a provider that is away',
      answers: [503, 503, 503].map(status => ({ status, message: 'away' })),
      failure: { class: 'provider', message: 'answers 503: away' },
    },
    {
      what: 'an answer of no shape',
      answers: [{ text: 'no' }, { text: 'no' }],
      failure: { class: 'agent_failed', message: 'no answer of the right shape' },
    },
  ])('$what', async ({ answers, failure }) => {
    const { run } = await planned(answers);
    expect(run.failure).toEqual({ ...failure, message: expect.stringContaining(failure.message) as unknown });
  });

  test('a planner that is too slow is ended', async () => {
    server.onGateway(() => {});
    const run = server.queue({ subject: 'spec_phase', plan: clarify, limits: { timeout_ms: 1_500 } });
    await over(run);
    expect(run.failure?.class).toBe('timeout');
  });

  test('a spent budget parks the run, a recording that does not fit fails it', async () => {
    const halted = async (kind: 'budget' | 'recording') => {
      const queued: QueuedRun[] = [];
      server.onGateway((_message, answer) => {
        for (const run of queued) run.halt({ kind, message: 'it stops here' });
        answer.writeHead(402, { 'content-type': 'application/json' }).end('{"error":{"message":"spent"}}');
      });
      const run = server.queue({ subject: 'spec_phase', plan: clarify });
      queued.push(run);
      await over(run);
      return run;
    };
    expect((await halted('budget')).state).toBe('parked');
    expect((await halted('recording')).failure).toEqual({ class: 'model', message: 'it stops here' });
  });
});
