import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { until } from '../../test/harness/process.ts';
import { type Clock, systemClock } from '../kernel/clock.ts';
import { type TestApi, testApi } from '../../test/harness/server.ts';
import { makeRepository, script, startWorker, type TestWorker } from '../../test/harness/worker.ts';

let api: TestApi;
const workers: TestWorker[] = [];
/** Its beats come twenty times as often: what is waited for here is always the next. */
const hurried: Clock = { ...systemClock, sleep: (ms, signal) => systemClock.sleep(ms === 5_000 ? 250 : ms, signal) };
beforeAll(async () => {
  api = await testApi();
});
afterEach(async () => {
  await Promise.all(workers.splice(0).map(worker => worker.stop({ graceMs: 0 })));
});
afterAll(() => api.stop());

async function start(name: string): Promise<TestWorker> {
  const worker = await startWorker(api, {
    name,
    token: api.adminToken,
    version: '1.2.3',
    capabilities: ['label:gpu'],
    clock: hurried,
  });
  workers.push(worker);
  return worker;
}

interface Seen {
  readonly name: string;
  readonly state: string;
  readonly busy: number;
}

async function seen(name: string): Promise<Seen | undefined> {
  const { body } = await api.call('GET', '/api/workers');
  return (body['workers'] as Seen[]).find(each => each.name === name);
}

const untilIs = (name: string, state: string) =>
  until(`${name} is ${state}`, async () => ((await seen(name))?.state === state ? true : undefined));

async function ticket(name: string, agent: string): Promise<string> {
  const repository = makeRepository({ 'agent.sh': script(agent) });
  const command = { kind: 'exec', command: ['./agent.sh'] };
  const project = await api.call('POST', '/api/projects', { name, repository, agent: command });
  return String((await api.call('POST', '/api/tickets', { project_id: project.body['id'], title: 'x' })).body['id']);
}

const status = async (id: string) => String((await api.call('GET', `/api/tickets/${id}`)).body['status']);
const untilStatus = (id: string, wanted: string) =>
  until(`${id} is ${wanted}`, async () => ((await status(id)) === wanted ? true : undefined));

test('a worker says what it is and that it has left', async () => {
  const worker = await start('plain');
  await untilIs('plain', 'active');
  expect(await seen('plain')).toMatchObject({
    version: '1.2.3',
    slots: 2,
    capabilities: ['agent:exec', 'isolation:namespaces', 'label:gpu', 'checks', 'conflicts', 'plan'],
    sandbox: { provider: 'local' },
    worth: { kind: 'local', isolation: 'namespaces' },
  });
  await worker.stop({ graceMs: 0 });
  expect(await seen('plain')).toMatchObject({ state: 'left' });
});

test('one that is drained ends what it runs, claims nothing, and claims again when it may', async () => {
  await start('drained');
  const running = await ticket('drained one', 'sleep 2; echo x > x');
  await untilStatus(running, 'running');
  await api.call('POST', '/api/workers/drained/drain');
  await untilIs('drained', 'draining');
  const waiting = await ticket('drained two', 'echo x > x');
  await until('nothing of it runs any more', async () => ((await seen('drained'))?.busy === 0 ? true : undefined));
  expect([await status(running), await status(waiting)]).toEqual([expect.not.stringMatching(/running|failed/), 'ready']);
  await api.call('POST', '/api/workers/drained/undrain');
  await untilStatus(waiting, 'completed');
  expect(await seen('drained')).toMatchObject({ state: 'active' });
});

test('one that starts under the name of a drained one claims nothing either', async () => {
  const first = await start('again');
  await untilIs('again', 'active');
  await api.call('POST', '/api/workers/again/drain');
  await first.stop({ graceMs: 0 });
  const waiting = await ticket('again', 'echo x > x');
  await start('again');
  await untilIs('again', 'draining');
  expect(await status(waiting)).toBe('ready');
  await api.call('POST', '/api/workers/again/undrain');
  await untilStatus(waiting, 'completed');
});

test('one whose name another takes claims no more, and says why', async () => {
  const old = await start('name');
  await untilIs('name', 'active');
  await start('name');
  await expect(old.ended).rejects.toMatchObject({
    code: 'wrong_state',
    message: expect.stringContaining('Another worker named "name"'),
  });
  expect(await seen('name')).toMatchObject({ state: 'active' });
});

test('the server gone and back: the worker is heard of again by itself', async () => {
  await start('patient');
  await untilIs('patient', 'active');
  await api.restart();
  const since = new Date().toISOString();
  await until('it is heard of', async () => {
    const { body } = await api.call('GET', '/api/workers');
    const found = (body['workers'] as { name: string; beat_at: string }[]).find(({ name }) => name === 'patient');
    return found !== undefined && found.beat_at > since ? true : undefined;
  });
});
