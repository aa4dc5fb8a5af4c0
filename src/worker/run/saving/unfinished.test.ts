import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../../kernel/clock.ts';
import type { Clock } from '../../../kernel/clock.ts';
import { allPids, processInfo } from '../../../kernel/processes/info.ts';
import { startScriptedServer } from '../../../../test/harness/scripted-server.ts';
import type { QueuedRun, QueuedTask, ScriptedServer } from '../../../../test/harness/scripted-server.ts';
import { git, makeRepository, processesWith, script, startWorker, temporaryFolder } from '../../../../test/harness/worker.ts';
import type { TestWorker } from '../../../../test/harness/worker.ts';

let server: ScriptedServer;
let worker: TestWorker;

beforeAll(async () => {
  server = await startScriptedServer();
  worker = await startWorker(server, { slots: 4 });
});
afterAll(async () => {
  await worker.stop({ graceMs: 0 });
  await server.close();
});

interface Begun {
  readonly run: QueuedRun;
  readonly repository: string;
}

/** A run of an agent that is this script, when it has printed `ready`. */
async function working(lines: readonly string[], task: QueuedTask = {}, at = server): Promise<Begun> {
  const repository = makeRepository({ 'agent.sh': script(...lines), 'README.md': 'hello\n' });
  const run = at.queue({ repository, ...task });
  await at.until(() => run.log.includes('ready') || run.state === 'failed');
  return { run, repository };
}

const failed = (run: QueuedRun): Promise<void> => server.until(() => run.state === 'failed');

/** Kills what has `word` among its arguments, as the system does. */
function killHard(word: string): void {
  for (const pid of allPids()) if (processInfo(pid)?.argv.includes(word)) process.kill(pid, 'SIGKILL');
}

/** A file of the work that came with the failure, taken by real git. */
function saved({ run, repository }: Begun, file: string): string {
  const clone = join(temporaryFolder(), 'clone');
  git(repository, 'clone', '--quiet', repository, clone);
  writeFileSync(join(clone, 'result.bundle'), run.bundle ?? '');
  git(clone, '-c', 'fetch.fsckObjects=true', 'fetch', '--quiet', join(clone, 'result.bundle'), `skep/${run.ticketId}:result`);
  expect(git(clone, 'rev-parse', 'result')).toBe(run.result?.head);
  return git(clone, 'show', `result:${file}`);
}

describe('the work of an agent that was broken off', () => {
  it('is sent with the failure when something kills the agent, which is noticed within two seconds', async () => {
    const begun = await working(['echo half > half.txt; echo ready; exec sleep 57721']);
    await expect.poll(() => processesWith('57721').length).toBe(1);
    const since = performance.now();
    killHard('57721');
    await server.until(() => begun.run.events.some(({ payload }) => payload['phase'] === 'collect'));
    expect(performance.now() - since).toBeLessThan(2_000);
    await failed(begun.run);
    expect(begun.run.failure).toMatchObject({
      class: 'agent_died',
      message: expect.stringMatching(/ended by SIGKILL, which Skep did not send; it printed at last:\nready$/) as string,
    });
    expect(saved(begun, 'half.txt')).toBe('half');
    expect(begun.run.result).toMatchObject({ branch: `skep/${begun.run.ticketId}`, summary: '1 file changed, 1 insertion(+)' });
  });

  it('is sent when all of its sandbox is killed', async () => {
    const begun = await working(['echo half > half.txt; echo ready; sleep 66260']);
    const id = worker.changes.flatMap(change => (change.kind === 'claimed' ? [change.claimed] : [])).at(-1);
    const mark = allPids().flatMap(pid => processInfo(pid)?.argv.filter(word => word.startsWith('skep-sandbox-')) ?? []);
    killHard(mark.find(word => word.includes(`${id?.run.id}`)) ?? 'none');
    await failed(begun.run);
    expect(begun.run.failure?.class).toBe('agent_died');
    expect(saved(begun, 'half.txt')).toBe('half');
  });

  it('is sent when its time is over', async () => {
    const begun = await working(['echo half > half.txt; echo ready; sleep 60'], { limits: { timeout_ms: 1_500 } });
    await failed(begun.run);
    expect(begun.run.failure?.class).toBe('timeout');
    expect(saved(begun, 'half.txt')).toBe('half');
  });

  it('is none where it has changed nothing, or cannot be collected, and the failure is told all the same', async () => {
    for (const line of ['true', 'rm -rf .git; echo x > x']) {
      const { run } = await working([`${line}; echo ready; kill -KILL $$`]);
      await failed(run);
      expect([run.failure?.class, run.result, run.bundle]).toEqual(['agent_died', undefined, undefined]);
    }
  });

  it('is not sent of an agent that ended by itself', async () => {
    const { run } = await working(['echo half > half.txt; echo ready; exit 3']);
    await failed(run);
    expect([run.failure?.class, run.result, run.bundle]).toEqual(['agent_failed', undefined, undefined]);
  });
});

describe('a worker that is stopped', () => {
  /** A worker and a server of its own, and a run of this script that is stopped when it has begun. */
  async function stopped(lines: readonly string[], clock = systemClock): Promise<Begun> {
    const own = await startScriptedServer();
    const stopping = await startWorker(own, { clock });
    const begun = await working(lines, {}, own);
    await stopping.stop({ graceMs: 0 });
    await own.close();
    return begun;
  }

  it('asks the agent to end, and hands back what it has done by then', async () => {
    const begun = await stopped(["trap 'echo asked > asked.txt; exit 0' TERM; echo ready; while :; do sleep 0.05; done"]);
    expect(begun.run.failure).toEqual({ class: 'stopped', message: 'The worker was stopped' });
    expect(saved(begun, 'asked.txt')).toBe('asked');
  });

  it('kills an agent that does not listen, and hands back the work', async () => {
    const hasty: Clock = { ...systemClock, sleep: (ms, signal) => systemClock.sleep(ms === 10_000 ? 300 : ms, signal) };
    const begun = await stopped(["trap '' TERM; echo half > half.txt; echo ready; while :; do sleep 0.05; done"], hasty);
    expect(begun.run.failure?.class).toBe('stopped');
    expect(saved(begun, 'half.txt')).toBe('half');
  });
});

describe('an agent whose sandbox does nothing any more', () => {
  it('is ended as unresponsive at the third look, with its work', async () => {
    const own = await startScriptedServer();
    const hasty: Clock = { ...systemClock, sleep: (ms, signal) => systemClock.sleep(ms === 10_000 ? 300 : ms, signal) };
    const watching = await startWorker(own, { clock: hasty });
    const begun = await working(['echo half > half.txt; echo ready; exec sleep 77245'], { leaseMs: 900 }, own);
    for (const pid of allPids()) if (processInfo(pid)?.argv.join(' ') === 'sleep 77245') process.kill(pid, 'SIGSTOP');
    await own.until(() => begun.run.state === 'failed');
    expect(begun.run.failure).toMatchObject({
      class: 'unresponsive',
      message: expect.stringMatching(/^The agent was ended: its processes \(1\) are all stopped/) as string,
    });
    expect(begun.run.events.flatMap(({ type }) => (type.startsWith('sandbox.') ? [type] : []))).toEqual([
      'sandbox.warned',
      'sandbox.degraded',
      'sandbox.unresponsive',
    ]);
    expect(saved(begun, 'half.txt')).toBe('half');
    await watching.stop({ graceMs: 0 });
    await own.close();
  });
});
