import type { ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { besideLoopback, startHost } from '../../../test/harness/egress.ts';
import type { TestHost } from '../../../test/harness/egress.ts';
import { startScriptedServer } from '../../../test/harness/scripted-server.ts';
import type { QueuedTask, ScriptedServer } from '../../../test/harness/scripted-server.ts';
import { makeRepository, startWorker } from '../../../test/harness/worker.ts';
import type { TestWorker } from '../../../test/harness/worker.ts';
import { createHttpAgent } from './http.ts';

let server: ScriptedServer;
let worker: TestWorker;
let endpoint: TestHost;
/** What it answers, and what it was told. */
let answer: (asked: string, response: ServerResponse) => object;
let told: { readonly title?: string; readonly feedback?: { readonly text: string } | null; readonly run?: unknown };

beforeAll(async () => {
  server = await startScriptedServer();
  worker = await startWorker(server, { agents: [createHttpAgent()] });
  endpoint = await startHost(
    (request, response) => {
      void text(request).then(body => {
        if (request.method === 'POST') told = { ...(JSON.parse(body) as object), run: request.headers['skep-run'] };
        response.end(JSON.stringify(answer(`${request.method} ${request.url}`, response)));
      });
    },
    undefined,
    besideLoopback,
  );
});
afterAll(async () => {
  await worker.stop({ graceMs: 0 });
  await server.close();
  endpoint.close();
});

function queue(task: QueuedTask = {}) {
  const network = [{ host: besideLoopback, port: endpoint.port, private: true }];
  const agent = { kind: 'http' as const, url: `http://${besideLoopback}:${endpoint.port}/work` };
  return server.queue({ repository: makeRepository({ 'a.txt': 'a\n' }), agent, network, ...task });
}

/** A run of an endpoint in a real sandbox, to its end. */
async function run(task: QueuedTask = {}) {
  const queued = queue(task);
  await server.until(() => ['submitted', 'parked', 'failed', 'lost'].includes(queued.state));
  return queued;
}

test('is given the ticket, and what it answers is the work of the run', async () => {
  answer = () => ({ status: 'done', summary: 'One file', files: [{ path: 'b/c.txt', content: 'c\n' }] });
  const it = await run({ title: 'Say hello', feedback: { round: 1, text: 'Too loud', checks: [] } });
  expect(it.failure).toBeUndefined();
  expect(it.state).toBe('submitted');
  expect(it.bundle?.length).toBeGreaterThan(0);
  expect(told).toMatchObject({ title: 'Say hello', feedback: { text: 'Too loud' }, run: it.id });
  expect(it.log.toString()).toContain('One file\n(1 file)');
});

test('fails with its own words where it could not', async () => {
  answer = () => ({ status: 'failed', summary: 'It is not my day' });
  expect((await run()).failure).toMatchObject({
    class: 'agent_failed',
    message: expect.stringContaining('The endpoint has not done it: It is not my day') as string,
  });
});

test.each([
  ['no rule', []],
  ['a rule for another host', [{ host: 'other.test' }]],
])('with %s it says which one is missing, and is not tried again', async (_, network) => {
  const { failure } = await run({ network });
  expect(failure?.class).toBe('invalid_task');
  expect(failure?.message).toContain(`skep project network allow PROJECT ${besideLoopback}:${endpoint.port}`);
});

test('one that has changed nothing has done nothing', async () => {
  answer = () => ({ status: 'done', files: [{ path: 'a.txt', content: 'a\n' }] });
  expect((await run()).failure?.class).toBe('no_changes');
});

function begun(response: ServerResponse): object {
  response.writeHead(202, { location: '/work/1' });
  return {};
}

test('what it answers later is the work of the run as well', async () => {
  const done = { status: 'done', summary: 'At last', files: [{ path: 'b.txt', content: 'b\n' }] };
  answer = (asked, response) => (asked === 'POST /work' ? begun(response) : done);
  const it = await run();
  expect([it.failure, it.state]).toEqual([undefined, 'submitted']);
  expect(it.log.toString()).toContain('it is at work, and is asked at /work/1');
  expect(it.log.toString()).toContain('At last\n(1 file)');
});

test.each<[string, QueuedTask, boolean]>([
  ['its run is taken back', {}, true],
  ['its time is over', { limits: { timeout_ms: 20_000 } }, false],
])('one that is at work is told where %s', async (_, task, isTakenBack) => {
  const told = new Map<string, () => void>();
  const hears = (asked: string) => new Promise<void>(resolve => void told.set(asked, resolve));
  const [looked, removed] = [hears('GET /work/1'), hears('DELETE /work/1')];
  answer = (asked, response) => {
    told.get(asked)?.();
    return begun(response);
  };
  const it = queue(task);
  await looked;
  if (isTakenBack) it.takeBack();
  await removed;
  if (isTakenBack) return;
  await server.until(() => it.state === 'failed');
  expect(it.failure).toMatchObject({ class: 'timeout', message: expect.stringContaining('not done within 20000 ms') as string });
});
