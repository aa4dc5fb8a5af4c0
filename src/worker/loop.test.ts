import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sandboxesIn } from '../../test/harness/disks.ts';
import { startScriptedServer } from '../../test/harness/scripted-server.ts';
import type { ScriptedServer } from '../../test/harness/scripted-server.ts';
import { makeRepository, processesWith, script, startWorker, temporaryFolder } from '../../test/harness/worker.ts';
import type { TestWorker } from '../../test/harness/worker.ts';
import { createClient } from '../client/index.ts';
import type { IsolationLevel } from '../../contract/fleet/sandboxes.ts';
import { systemClock } from '../kernel/clock.ts';
import type { Clock } from '../kernel/clock.ts';
import { Fault } from '../kernel/fault.ts';
import { silentLog } from '../kernel/log.ts';
import { createExecAgent } from '../providers/agents/exec.ts';
import { createLocalSandboxes } from '../providers/sandboxes/local/index.ts';
import { createProcessSandboxes } from '../providers/sandboxes/process/index.ts';
import { createWorker, runOnce } from './index.ts';
import type { SandboxProvider } from './sandbox.ts';

let server: ScriptedServer;
let worker: TestWorker | undefined;

beforeEach(async () => {
  server = await startScriptedServer();
});
afterEach(async () => {
  await worker?.stop({ graceMs: 0 });
  worker = undefined;
  await server.close();
});

/** For what follows from a signal at once, on a machine that has other work. */
const patient = { timeout: 10_000, interval: 20 };
const changes = (kind: string) => worker?.changes.filter(change => change.kind === kind).length ?? 0;
const sleeper = (seconds: string) => makeRepository({ 'agent.sh': script('echo begun', `sleep ${seconds}`) });
const quick = () => makeRepository({ 'agent.sh': script('echo x > x') });

describe('a worker', () => {
  it('goes on when the server that was away is back, and says so once each', async () => {
    await server.goAway();
    worker = await startWorker(server);
    await expect.poll(() => changes('server_gone'), patient).toBe(1);
    await server.comeBack();
    const run = server.queue({ repository: quick() });
    await server.until(() => run.state === 'submitted');
    expect([changes('server_gone'), changes('server_back')]).toEqual([1, 1]);
  });

  it('survives answers of a broken server', async () => {
    server.answerWith(502);
    worker = await startWorker(server);
    await expect.poll(() => changes('server_gone'), patient).toBe(1);
    server.answerWith(500);
    await server.until(() => server.requests.some(({ status }) => status === 500));
    server.answerWith(undefined);
    const run = server.queue({ repository: quick() });
    await server.until(() => run.state === 'submitted');
  });

  it('keeps a run through a short outage of the server', async () => {
    worker = await startWorker(server);
    const run = server.queue({ repository: sleeper('0.5; echo x > x; echo ended'), leaseMs: 6_000 });
    await server.until(() => run.state === 'working');
    await server.goAway();
    await systemClock.sleep(1_000);
    await server.comeBack();
    await server.until(() => run.state === 'submitted');
    expect(run.log.toString()).toBe('begun\nended\n');
    expect(run.refused).toEqual([]);
  });

  it('gives a run up whose result the server never takes, and says why', async () => {
    const hasty: Clock = { ...systemClock, sleep: (ms, signal) => systemClock.sleep(ms === 600_000 ? 500 : ms, signal) };
    worker = await startWorker(server, { clock: hasty });
    const run = server.queue({ repository: quick() });
    server.answerWith(507, /\/bundle$/);
    await server.until(() => run.state === 'failed');
    expect(run.failure?.class).toBe('sandbox');
    expect(run.failure?.message).toMatch(/could not be handed over within .* of its agent's end; .*no space left.*507/);
  });

  it('blames the agent for a repository that never answers', async () => {
    const hasty: Clock = { ...systemClock, sleep: (ms, signal) => systemClock.sleep(ms === 300_000 ? 500 : ms, signal) };
    worker = await startWorker(server, { clock: hasty });
    const run = server.queue({ repository: makeRepository({ 'agent.sh': script('rm .git/index; mkfifo .git/index') }) });
    await server.until(() => run.state === 'failed');
    expect([run.failure?.class, run.failure?.message]).toEqual([
      'agent_failed',
      "What the agent left can't be collected: timeout",
    ]);
  });

  it('stops at once also where the server does not take what a run has made', async () => {
    const hasty: Clock = { ...systemClock, sleep: (ms, signal) => systemClock.sleep(ms === 15_000 ? 500 : ms, signal) };
    worker = await startWorker(server, { clock: hasty });
    const run = server.queue({ repository: quick() });
    server.answerWith(507, /\/bundle$/);
    await server.until(() => server.requests.some(({ status }) => status === 507));
    await worker.stop({ graceMs: 0 });
    expect(run.failure).toEqual({ class: 'stopped', message: 'The worker was stopped' });
  });

  it('stops when its token is refused', async () => {
    worker = await startWorker(server, { token: 'wrong' });
    await expect(worker.ended).rejects.toMatchObject({ code: 'unauthenticated' });
  });

  it('kills the sandbox and sends nothing more when the lease is taken away', async () => {
    worker = await startWorker(server);
    const run = server.queue({ repository: sleeper('27182'), leaseMs: 900 });
    await server.until(() => run.state === 'working');
    await expect.poll(() => processesWith('27182').length).toBe(1);
    await server.until(() => run.log.length > 0 && run.events.at(-1)?.payload['phase'] === 'stream');
    const since = performance.now();
    run.takeBack();
    await expect.poll(() => changes('ended'), { interval: 10 }).toBe(1);
    expect(performance.now() - since).toBeLessThan(4_000);
    expect(processesWith('27182')).toEqual([]);
    expect(run.refused).toEqual(['heartbeat']);
    expect(sandboxesIn(join(worker.folder, 'sandboxes'))).toEqual([]);
  });

  it('kills the sandbox by itself when the server is gone for longer than the lease', async () => {
    worker = await startWorker(server);
    const run = server.queue({ repository: sleeper('16180'), leaseMs: 1_000 });
    await server.until(() => run.state === 'working');
    await server.goAway();
    const since = performance.now();
    await expect.poll(() => changes('ended'), { interval: 10, timeout: 5_000 }).toBe(1);
    expect(performance.now() - since).toBeLessThan(4_000);
    expect(processesWith('16180')).toEqual([]);
    await server.comeBack();
    await server.until(
      () => server.requests.some(({ path, status }) => path === '/api/claim' && status === 204) || changes('server_back') > 0,
    );
    expect(run.refused).toEqual([]);
  });

  it('goes on where somebody has removed its notes', async () => {
    worker = await startWorker(server);
    const run = server.queue({ repository: sleeper('27183'), leaseMs: 900 });
    await server.until(() => run.log.length > 0);
    rmSync(join(worker.folder, 'notes'), { recursive: true });
    writeFileSync(join(worker.folder, 'notes'), '');
    run.takeBack();
    await expect.poll(() => changes('ended'), patient).toBe(1);
    const next = server.queue({ repository: quick() });
    await server.until(() => next.state === 'submitted');
  });

  it('takes no more runs than it has slots', async () => {
    worker = await startWorker(server, { slots: 2 });
    expect(await mostAtOnce(5)).toBe(2);
  });

  it('takes one run at a time where sandboxes share the ports of their machine', async () => {
    const sandboxes = createProcessSandboxes({ folder: temporaryFolder(), clock: systemClock, log: silentLog });
    worker = await startWorker(server, { sandboxes, slots: 2 });
    expect(await mostAtOnce(3, 'none')).toBe(1);
  });

  async function mostAtOnce(count: number, isolation: IsolationLevel = 'namespaces'): Promise<number> {
    const repository = sleeper('0.3; echo x > x');
    const runs = Array.from({ length: count }, () => server.queue({ repository, isolation }));
    let most = 0;
    await server.until(() => {
      most = Math.max(most, runs.filter(({ state }) => ['leased', 'starting', 'working'].includes(state)).length);
      return runs.every(({ state }) => state === 'submitted');
    });
    return most;
  }

  it('offers an agent from the claim on that comes after its installing', async () => {
    let isInstalled = false;
    const agent = { ...createExecAgent(), kind: 'codex', isInstalled: () => Promise.resolve(isInstalled) };
    worker = await startWorker(server, { slots: 1, agents: [createExecAgent(), agent] });
    const first = server.queue({ repository: sleeper('0.2; echo x > x') });
    await server.until(() => first.state === 'working');
    isInstalled = true;
    const second = server.queue({ repository: quick() });
    await server.until(() => second.state === 'submitted');
    expect(first.capabilities).not.toContain('agent:codex');
    expect(second.capabilities).toContain('agent:codex');
  });

  it('lets what runs end when it is told to stop', async () => {
    worker = await startWorker(server);
    const run = server.queue({ repository: sleeper('0.5; echo x > x') });
    const later = server.queue({ repository: quick() });
    const last = server.queue({ repository: quick() });
    await server.until(() => run.state === 'working');
    await worker.stop({ graceMs: 20_000 });
    expect(run.state).toBe('submitted');
    expect([later.state, last.state]).toContain('queued');
  });

  it('hands back at once what runs longer than its patience', async () => {
    worker = await startWorker(server);
    const run = server.queue({ repository: sleeper('14142') });
    await server.until(() => run.state === 'working');
    const drained = worker.stop({ graceMs: Infinity });
    await worker.stop({ graceMs: 0 });
    await drained;
    expect(run.failure).toEqual({ class: 'stopped', message: 'The worker was stopped' });
    expect(processesWith('14142')).toEqual([]);
  });

  it('begins nothing when it is told to stop while it starts', async () => {
    const [clock, log, folder] = [systemClock, silentLog, temporaryFolder()];
    const early = createWorker({
      ...{ name: 'early', slots: 1, agents: [createExecAgent()], random: () => 0.5, clock, log, folder },
      client: createClient({ server: server.url, token: 'secret', clock }),
      sandboxes: createLocalSandboxes({ folder: join(folder, 'sandboxes'), clock, log }),
    });
    const starting = early.start();
    await early.stop({ graceMs: 0 });
    await starting;
    // What would go on asks at once, and would go on for ever.
    await systemClock.sleep(300);
    expect(server.requests).toEqual([]);
  });

  it('refuses to start where no sandbox can be made', async () => {
    const sandboxes = createLocalSandboxes({
      folder: temporaryFolder(),
      clock: systemClock,
      log: silentLog,
      path: '/nonexistent',
    });
    await expect(startWorker(server, { sandboxes })).rejects.toMatchObject({ code: 'sandbox_unavailable' });
    expect(server.requests).toEqual([]);
  });

  it('claims nothing while no sandbox can be made, and goes on after', async () => {
    const real = createLocalSandboxes({ folder: temporaryFolder(), clock: systemClock, log: silentLog });
    let isBroken = false;
    const sandboxes: SandboxProvider = {
      ...real,
      probe: () => (isBroken ? Promise.resolve({ ok: false, why: 'broken', hint: 'mend it' }) : real.probe()),
      create: spec => (isBroken ? Promise.reject(new Fault('sandbox_unavailable')) : real.create(spec)),
    };
    worker = await startWorker(server, { sandboxes, slots: 1 });
    isBroken = true;
    const first = server.queue({ repository: quick() });
    await server.until(() => first.state === 'failed');
    expect(first.failure?.class).toBe('sandbox');
    const second = server.queue({ repository: quick() });
    await expect.poll(() => changes('sandbox_broken'), patient).toBe(1);
    expect(second.state).toBe('queued');
    isBroken = false;
    await server.until(() => second.state === 'submitted');
    await expect.poll(() => changes('sandbox_works'), patient).toBe(1);
  });

  it('holds back after two runs that failed for its own sake, says so once each, and goes on', async () => {
    worker = await startWorker(server, { slots: 2 });
    const bad = Array.from({ length: 3 }, () => server.queue({ repository: '/nonexistent' }));
    await server.until(() => bad.every(({ state }) => state === 'failed'));
    // The server knows of a failure before the worker has drawn its conclusion.
    await expect.poll(() => changes('holding_back'), patient).toBe(1);
    const claims = server.requests.filter(({ path, status }) => path === '/api/claim' && status === 200);
    expect([claims.length, changes('going_on')]).toEqual([3, 0]);
    expect(worker.changes.find(({ kind }) => kind === 'holding_back')).toMatchObject({
      why: 'The server does not serve the repository: The run has no repository',
    });
    const good = server.queue({ repository: quick() });
    await server.until(() => good.state === 'submitted');
    await expect.poll(() => changes('going_on'), patient).toBe(1);
    expect(changes('holding_back')).toBe(1);
  });

  it('holds back when its disk is full', async () => {
    const real = createLocalSandboxes({ folder: temporaryFolder(), clock: systemClock, log: silentLog });
    const sandboxes: SandboxProvider = { ...real, create: () => Promise.reject(new Fault('disk_full')) };
    worker = await startWorker(server, { sandboxes });
    const runs = [1, 2].map(() => server.queue({ repository: quick() }));
    await server.until(() => runs.every(({ state }) => state === 'failed'));
    await expect.poll(() => changes('holding_back'), patient).toBe(1);
  });

  it('holds back when sandboxes fail though a trial one can be made', async () => {
    const real = createLocalSandboxes({ folder: temporaryFolder(), clock: systemClock, log: silentLog });
    const sandboxes: SandboxProvider = { ...real, create: () => Promise.reject(new Fault('sandbox_unavailable')) };
    worker = await startWorker(server, { sandboxes });
    const runs = [1, 2].map(() => server.queue({ repository: quick() }));
    await server.until(() => runs.every(({ state }) => state === 'failed'));
    await expect.poll(() => changes('holding_back'), patient).toBe(1);
  });

  it('does not hold back for runs that fail by their agent', async () => {
    worker = await startWorker(server);
    const runs = [1, 2, 3].map(() => server.queue({ repository: makeRepository({ 'agent.sh': script('exit 1') }) }));
    await server.until(() => runs.every(({ state }) => state === 'failed'));
    await expect.poll(() => changes('ended'), patient).toBe(3);
    expect(changes('holding_back')).toBe(0);
  });

  it('sends its token to the server alone, even where that redirects', async () => {
    const heard: string[] = [];
    const other = createServer(socket => socket.on('data', bytes => heard.push(bytes.toString())));
    other.listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    const redirecting = createServer(socket =>
      socket.on('data', () => socket.end(`HTTP/1.1 307 Go\r\nlocation: http://127.0.0.1:${port}/\r\ncontent-length: 0\r\n\r\n`)),
    );
    redirecting.listen(0, '127.0.0.1');
    await once(redirecting, 'listening');
    worker = await startWorker({ ...server, url: `http://127.0.0.1:${(redirecting.address() as AddressInfo).port}` });
    await expect.poll(() => changes('server_gone'), patient).toBe(1);
    await worker.stop({ graceMs: 0 });
    expect(heard).toEqual([]);
    redirecting.close();
    other.close();
  });
});

describe('a ticket run by hand', () => {
  const once = (ticketId: string, onOutput: (chunk: Buffer) => void = () => {}) => {
    const folder = temporaryFolder();
    const parts = {
      clock: systemClock,
      log: silentLog,
      random: () => 0.5,
      folder,
      name: 'hand',
      agents: [createExecAgent()],
    };
    const sandboxes = createLocalSandboxes({ folder: join(folder, 'sandboxes'), clock: systemClock, log: silentLog });
    const client = createClient({ server: server.url, token: 'secret', clock: systemClock });
    return runOnce({ ...parts, client, sandboxes }, { ticketId, stop: new AbortController().signal, onOutput });
  };

  it('takes that ticket and shows its output', async () => {
    const other = server.queue({ repository: quick() });
    const run = server.queue({ repository: sleeper('0; echo x > x'), ticketId: 'TKT-042' });
    let shown = '';
    const end = await once('TKT-042', chunk => (shown += chunk.toString()));
    expect(end).toMatchObject({ kind: 'submitted', result: { branch: 'skep/TKT-042' } });
    expect([run.state, other.state, shown]).toEqual(['submitted', 'queued', 'begun\n']);
  });

  it('says when there is nothing to run', async () => {
    await expect(once('TKT-404')).rejects.toMatchObject({ code: 'wrong_state' });
  });
});
