import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { isReady, sandboxesIn } from '../../../test/harness/disks.ts';
import { buildSkepOnce } from '../../../test/harness/process.ts';
import { startScriptedServer } from '../../../test/harness/scripted-server.ts';
import type { QueuedRun, ScriptedServer } from '../../../test/harness/scripted-server.ts';
import { makeRepository, processesWith, script, temporaryFolder } from '../../../test/harness/worker.ts';

let server: ScriptedServer;
let home: string;
const started: ChildProcess[] = [];

// As it is shipped: from its sources each of these processes would be compiled anew.
beforeAll(buildSkepOnce, 120_000);
beforeEach(async () => {
  server = await startScriptedServer();
  home = temporaryFolder();
});
afterEach(async () => {
  for (const child of started.splice(0)) child.kill('SIGKILL');
  await server.close();
});

interface Skep {
  readonly child: ChildProcess;
  readonly out: () => string;
  readonly err: () => string;
  readonly code: Promise<number | null>;
}

/** A real `skep` process. */
function skep(args: string[], env: Record<string, string> = {}): Skep {
  const program = join(import.meta.dirname, '../../../bin/skep');
  const child = spawn(process.execPath, [program, ...args], {
    env: { PATH: process.env['PATH'], SKEP_SERVER: server.url, SKEP_HOME: home, SKEP_TOKEN: 'secret', ...env },
  });
  started.push(child);
  const texts = { out: '', err: '' };
  child.stdout.on('data', (bytes: Buffer) => (texts.out += bytes.toString()));
  child.stderr.on('data', (bytes: Buffer) => (texts.err += bytes.toString()));
  const code = once(child, 'close').then(([code]) => code as number | null);
  return { child, out: () => texts.out, err: () => texts.err, code };
}

const quick = () => makeRepository({ 'agent.sh': script('echo hello', 'echo x > x') });
const states = (...runs: QueuedRun[]) => runs.map(({ state }) => state);
const patient = { timeout: 10_000, interval: 20 };

describe('skep worker', () => {
  it('prints what it does, drains at SIGTERM and ends with 0', async () => {
    const file = join(home, 'token');
    writeFileSync(file, 'secret\n');
    const worker = skep(['worker', '--token-file', file, '--name', 'w1', '--slots', '1'], { SKEP_TOKEN: '' });
    const good = server.queue({ repository: quick() });
    const bad = server.queue({ repository: makeRepository({ 'agent.sh': script('echo oh no', 'exit 3') }) });
    await server.until(() => good.state === 'submitted' && bad.state === 'failed');
    await expect.poll(worker.out, patient).toMatch(/^failed/m);
    const running = server.queue({ repository: makeRepository({ 'agent.sh': script('sleep 0.5; echo x > x') }) });
    await server.until(() => running.state === 'working');
    worker.child.kill('SIGTERM');
    expect(await worker.code).toBe(0);
    expect(states(good, bad, running)).toEqual(['submitted', 'failed', 'submitted']);
    expect(worker.out()).toMatch(/^worker w1 takes up to 1 runs at once from http/m);
    expect(worker.out()).toMatch(
      /^sandbox {4}bubblewrap .*; enforced: .*tmp.*; network: enforced; runs as .*; launcher (native|plain: .*)$/m,
    );
    expect(worker.out()).toMatch(/^claimed {4}TKT-001 \(run .{8}\) {2}attempt 1, project demo$/m);
    expect(worker.out()).toMatch(/^submitted {2}TKT-001 .* 1 file changed/m);
    expect(worker.out()).toMatch(/^failed {5}TKT-002 .* agent_failed: .*exit code 3.*oh no/m);
    expect(worker.err()).toBe('');
  });

  it('prints JSON lines', async () => {
    const worker = skep(['worker', '--json']);
    const run = server.queue({ repository: quick() });
    await expect.poll(worker.out, patient).toContain('"submitted"');
    const lines = worker
      .out()
      .trim()
      .split('\n')
      .map(line => JSON.parse(line) as object);
    expect(lines).toMatchObject([
      { event: 'started', sandbox: { provider: 'local', isolation: 'namespaces', network: 'enforced' } },
      { event: 'claimed', run_id: run.id, subject: { type: 'ticket', id: 'TKT-001' } },
      { event: 'submitted', result: { branch: 'skep/TKT-001' } },
    ]);
    worker.child.kill('SIGINT');
    expect(await worker.code).toBe(0);
  });

  it('ends with the exit code of what is wrong', async () => {
    const refused = skep(['worker', '--token', 'wrong']);
    const without = skep(['worker'], { SKEP_TOKEN: '' });
    const invalid = skep(['worker', '--slots', 'many']);
    expect([await refused.code, await without.code, await invalid.code]).toEqual([5, 5, 2]);
    expect(without.err()).toContain('A worker needs a token');
    expect(refused.err()).not.toContain('wrong');
  });

  it('hands back what runs at the second signal', async () => {
    const worker = skep(['worker']);
    const run = server.queue({ repository: makeRepository({ 'agent.sh': script('sleep 11235') }) });
    await server.until(() => run.state === 'working');
    worker.child.kill('SIGINT');
    worker.child.kill('SIGTERM');
    expect(await worker.code).toBe(0);
    expect(run.failure).toEqual({ class: 'stopped', message: 'The worker was stopped' });
    expect(processesWith('11235')).toEqual([]);
  });
});

describe('a worker that was stopped for longer than its lease', () => {
  it('is refused when it wakes right before it completes', async () => {
    const worker = skep(['worker', '--json'], { SKEP_FAILPOINTS: 'before-complete:stop' });
    const run = server.queue({ repository: quick(), leaseMs: 1_000 });
    await expect.poll(worker.err, patient).toContain('failpoint before-complete stop');
    run.takeBack();
    worker.child.kill('SIGCONT');
    await expect.poll(worker.out, patient).toContain('"lost"');
    expect(run.refused).toContain('complete');
    expect([run.state, run.result]).toEqual(['lost', undefined]);
  });

  it('sends nothing when it wakes and knows that its time is over', async () => {
    const worker = skep(['worker', '--json'], { SKEP_FAILPOINTS: 'agent-started:stop' });
    const run = server.queue({ repository: makeRepository({ 'agent.sh': script('sleep 22361') }), leaseMs: 700 });
    await expect.poll(worker.err, patient).toContain('failpoint agent-started stop');
    await expect.poll(() => server.requests.length).toBeGreaterThan(0);
    run.takeBack();
    await new Promise(resolve => AbortSignal.timeout(900).addEventListener('abort', resolve));
    const before = server.requests.length;
    const since = performance.now();
    worker.child.kill('SIGCONT');
    await expect.poll(worker.out, patient).toContain('"lost"');
    expect(performance.now() - since).toBeLessThan(5_000);
    expect(processesWith('22361')).toEqual([]);
    expect(server.requests.slice(before).filter(({ path }) => path !== '/api/claim')).toEqual([]);
  });
});

describe('a worker that was killed', () => {
  it('takes its sandbox along, and the next one removes what is left', async () => {
    const worker = skep(['worker']);
    const run = server.queue({ repository: makeRepository({ 'agent.sh': script('setsid sleep 17321 & sleep 17321') }) });
    await server.until(() => run.state === 'working');
    await expect.poll(() => processesWith('17321').length).toBe(2);
    worker.child.kill('SIGKILL');
    await worker.code;
    await expect.poll(() => processesWith('17321'), patient).toEqual([]);
    // Beside the one of the run lies what the dead worker had ready for the next.
    expect(sandboxesIn(join(home, 'sandboxes')).filter(name => !isReady(name))).toHaveLength(1);
    const next = skep(['worker', '--json']);
    const other = server.queue({ repository: quick() });
    await expect.poll(next.out, patient).toContain('"submitted"');
    expect(other.state).toBe('submitted');
    // It is brought home beside the runs, which need not wait for that.
    await expect.poll(() => sandboxesIn(join(home, 'sandboxes')), patient).toEqual([]);
    expect(readdirSync(join(home, 'worker/runs'))).toEqual([]);
  });
});

describe('skep run-ticket', () => {
  it('shows the output and ends with 0, or with 1 when it failed', async () => {
    const good = server.queue({ repository: quick(), ticketId: 'TKT-007' });
    server.queue({ repository: makeRepository({ 'agent.sh': script('exit 4') }), ticketId: 'TKT-008' });
    const first = skep(['run-ticket', 'TKT-007']);
    expect(await first.code).toBe(0);
    expect(first.out()).toMatch(/^hello\nTKT-007 submitted: 1 file changed.* on skep\/TKT-007 at [0-9a-f]{12}\n$/);
    expect(good.state).toBe('submitted');
    const second = skep(['run-ticket', 'TKT-008']);
    expect(await second.code).toBe(1);
    expect(second.err()).toContain('TKT-008 failed, agent_failed: The agent ended with exit code 4');
    const third = skep(['run-ticket', 'TKT-009']);
    expect(await third.code).toBe(4);
  });
});
