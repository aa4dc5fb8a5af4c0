import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { WireVm } from '../../contract/fleet/vms.ts';
import { type Clock, systemClock } from '../../src/kernel/clock.ts';
import { skep } from '../harness/cli.ts';
import { until } from '../harness/process.ts';
import { type TestApi, testApi } from '../harness/server.ts';
import { makeRepository, processesWith, script, startWorker, type TestWorker } from '../harness/worker.ts';

let api: TestApi;
let worker: TestWorker;
const home = mkdtempSync(join(tmpdir(), 'skep-sandboxes-'));
/** Its beats come twenty times as often: what is waited for here is always the next. */
const hurried: Clock = { ...systemClock, sleep: (ms, signal) => systemClock.sleep(ms === 5_000 ? 250 : ms, signal) };
const control = join(home, 'worker/control');

beforeAll(async () => {
  api = await testApi();
  worker = await startWorker(api, { token: api.adminToken, folder: join(home, 'worker'), clock: hurried, name: 'keeper' });
});
afterAll(async () => {
  await worker.stop({ graceMs: 0 });
  await api.stop();
  rmSync(home, { recursive: true, force: true });
});

const env = () => ({ SKEP_SERVER: api.url, SKEP_TOKEN: api.adminToken, SKEP_HOME: home });
const sandbox = (words: readonly string[], around: Partial<Parameters<typeof skep>[1]> = {}) =>
  skep(['sandbox', ...words], { env: env(), ...around });

async function listed(): Promise<WireVm[]> {
  const { code, out } = await sandbox(['list', '--json']);
  expect(code).toBe(0);
  return out
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line) as WireVm);
}

/** Of a run: a check-out that is prepared for the next attempts has a sandbox of its own for a moment. */
const untilOneWorks = (not?: string) =>
  until('the list shows a sandbox at work', async () =>
    (await listed()).find(({ id, run_id: run, use }) => id !== not && run !== null && use.processes > 0),
  );

async function sleeper(): Promise<string> {
  const repository = makeRepository({ 'agent.sh': script('echo begun > begun', 'sleep 27182') });
  const agent = { kind: 'exec', command: ['./agent.sh'] };
  const project = await api.call('POST', '/api/projects', { name: 'sleeper', repository, agent });
  return String((await api.call('POST', '/api/tickets', { project_id: project.body['id'], title: 'x' })).body['id']);
}

test('a sandbox is listed, shown, entered and killed from outside; its run is tried again, and nothing is left', async () => {
  expect((await sandbox(['list'])).err).toContain('There are no sandboxes');
  const ticket = await sleeper();

  const vm = await untilOneWorks();
  expect(vm).toMatchObject({
    ...{ worker: 'keeper', host: hostname(), kind: 'local', isolation: 'namespaces', ticket_id: ticket, project: 'sleeper' },
    ...{ state: 'answering', kill: null },
  });
  expect(vm.id.startsWith(vm.run_id ?? 'none')).toBe(true);
  const short = vm.id.slice(0, 8);
  const shown = await sandbox(['show', short]);
  expect(shown.out).toMatch(/^isolation +namespaces$/m);
  expect(shown.out).toMatch(/^ticket +TKT-001$/m);

  // Beside the agent, in its folder.
  await until('the agent has begun', async () =>
    (await sandbox(['exec', short, '--', 'cat', 'begun'])).code === 0 ? true : undefined,
  );
  const where = await sandbox(['exec', short, '--', 'pwd']);
  expect(where).toMatchObject({ code: 0, out: '/work\n', err: '' });
  expect(processesWith('27182').length).toBeGreaterThan(0);

  const first = await sandbox(['kill', short]);
  expect(first).toMatchObject({ code: 0, out: expect.stringContaining('is killed by keeper within a few seconds') });
  const { actor } = await killedEvent(vm.id);
  const again = await api.call('POST', `/api/vms/${vm.id}/kill`);
  expect([again.status, again.body]).toEqual([200, { id: vm.id, by: actor, at: expect.any(String) }]);
  await until('its run has failed', async () => {
    const { body } = await api.call('GET', `/api/runs/${String(vm.run_id)}`);
    return body['state'] === 'failed' ? body : undefined;
  }).then(run => {
    expect(run).toMatchObject({ failure_class: 'sandbox', failure_message: `Its sandbox was killed by ${actor}` });
  });

  const second = await untilOneWorks(vm.id);
  expect(second.ticket_id).toBe(ticket);
  await killedEvent(vm.id);
  await api.call('POST', `/api/tickets/${ticket}/cancel`);
  await until('none is left', async () => ((await listed()).length === 0 ? true : undefined));
  expect(processesWith('27182')).toEqual([]);
});

async function killedEvent(id: string): Promise<{ readonly actor: string }> {
  const events = await until('the kill is told', async () => {
    const { body } = await api.call('GET', `/api/events?subject=${id}`);
    const all = body['events'] as { type: string; actor: string }[];
    return all.length === 0 ? undefined : all;
  });
  expect(events.map(({ type }) => type)).toEqual(['sandbox.killed']);
  return { actor: events[0]?.actor ?? '' };
}

test('only the user of a worker reaches its control socket, which is gone with it', async () => {
  expect(statSync(control).mode & 0o777).toBe(0o700);
  const [socket = ''] = readdirSync(control);
  expect(statSync(join(control, socket)).mode & 0o777).toBe(0o600);
  await worker.stop({ graceMs: 0 });
  expect(existsSync(join(control, socket))).toBe(false);
});
