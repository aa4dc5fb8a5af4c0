import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { mountsIn, sandboxesIn } from '../../../../test/harness/disks.ts';
import { startScriptedServer } from '../../../../test/harness/scripted-server.ts';
import type { QueuedRun, ScriptedServer } from '../../../../test/harness/scripted-server.ts';
import { git, makeRepository, processesWith, script, startWorker, temporaryFolder } from '../../../../test/harness/worker.ts';
import type { TestWorker } from '../../../../test/harness/worker.ts';
import { systemClock } from '../../../kernel/clock.ts';
import { silentLog } from '../../../kernel/log.ts';
import { createLocalSandboxes } from '../../../providers/sandboxes/local/index.ts';

const patient = { timeout: 30_000, interval: 20 };
let server: ScriptedServer;
let worker: TestWorker;
let folder: string;
let repository: string;
let made: string[];
let holder: ChildProcess | undefined;

/** A worker with a copy of a repository that has gone on since. */
beforeEach(async () => {
  server = await startScriptedServer();
  folder = temporaryFolder();
  made = [];
  const local = createLocalSandboxes({ folder: join(folder, 'sandboxes'), clock: systemClock, log: silentLog });
  const sandboxes = {
    ...local,
    create(spec: Parameters<typeof local.create>[0]) {
      made.push(spec.id);
      return local.create(spec);
    },
  };
  worker = await startWorker(server, { folder, sandboxes });
  repository = makeRepository({ 'agent.sh': script('cat a; echo x > x'), a: 'one\n' });
  expect((await ended(server.queue({ repository }))).state).toBe('submitted');
  made.splice(0);
  writeFileSync(join(repository, 'a'), 'two\n');
  git(repository, 'commit', '--quiet', '--all', '--message=second');
});
afterEach(async () => {
  holder?.kill();
  await worker.stop({ graceMs: 0 });
  await server.close();
});

async function ended(run: QueuedRun): Promise<QueuedRun> {
  await server.until(() => ['submitted', 'failed', 'lost'].includes(run.state));
  return run;
}

const copies = (): string => join(folder, 'repositories');
const lock = (): string => join(copies(), readdirSync(copies()).find(name => name.endsWith('.lock')) ?? '');
const copy = (): string => lock().replace(/lock$/, 'git');
const gits = (): string[] => processesWith(lock()).filter(line => line.includes('git'));

/** From now on no git can add to the copy, until `holder` ends. */
async function hold(): Promise<void> {
  holder = spawn('flock', ['--exclusive', '--no-fork', lock(), 'sh', '-c', 'echo held; exec sleep 600']);
  if (holder.stdout !== null) await once(holder.stdout, 'data');
}

/** A run whose commit cannot come yet. */
async function waiting(): Promise<QueuedRun> {
  await hold();
  const run = server.queue({ repository });
  await expect.poll(() => gits().length, patient).toBe(1);
  return run;
}

describe('while the commits of a run are on their way', () => {
  it('its sandbox is made, and is checked out when they are there', async () => {
    const run = await waiting();
    await expect.poll(() => made, patient).toHaveLength(1);
    await expect.poll(() => run.events.map(({ payload }) => payload['phase']), patient).toEqual(['prepare_sandbox', 'check_out']);
    holder?.kill();
    expect([(await ended(run)).state, run.log.toString(), made.length]).toEqual(['submitted', 'two\n', 1]);
  });

  it('what ends the run ends that too, and nothing is left of it', async () => {
    const run = await waiting();
    await expect.poll(() => made, patient).toHaveLength(1);
    run.takeBack();
    await expect.poll(() => worker.changes.at(-1), patient).toMatchObject({ kind: 'ended', end: { kind: 'lost' } });
    expect([gits(), sandboxesIn(join(folder, 'sandboxes')), mountsIn(folder)]).toEqual([[], [], []]);
  });

  it('a run that fails for another reason does not wait for them', async () => {
    await hold();
    const run = server.queue({ repository, agent: { kind: 'codex', model: 'x' } });
    expect(await ended(run)).toMatchObject({ state: 'failed', failure: { class: 'invalid_task' } });
    await expect.poll(() => worker.changes.at(-1)?.kind, patient).toBe('ended');
    expect([gits(), made]).toEqual([[], []]);
  });

  it('the worker can be stopped', async () => {
    const run = await waiting();
    await expect.poll(() => made, patient).toHaveLength(1);
    await worker.stop({ graceMs: 0 });
    expect(run).toMatchObject({ state: 'failed', failure: { class: 'stopped' } });
    expect([gits(), sandboxesIn(join(folder, 'sandboxes')), mountsIn(folder)]).toEqual([[], [], []]);
  });
});

it('a sandbox that shows a copy which had to be made again is made again too', async () => {
  const run = await waiting();
  await expect.poll(() => made, patient).toHaveLength(1);
  // What `fetch` builds on is gone, and so is the ref: git can only begin anew.
  rmSync(join(copy(), 'objects'), { recursive: true });
  holder?.kill();
  expect([(await ended(run)).failure, run.log.toString()]).toEqual([undefined, 'two\n']);
  expect(made).toHaveLength(2);
});
