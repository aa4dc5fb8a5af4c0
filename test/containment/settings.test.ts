import { chmodSync, readdirSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startScriptedServer } from '../harness/scripted-server.ts';
import type { QueuedRun, QueuedTask, ScriptedServer } from '../harness/scripted-server.ts';
import { makeRepository, script, startWorker, temporaryFolder } from '../harness/worker.ts';
import type { TestWorker } from '../harness/worker.ts';
import { baits } from './settings.ts';
import { settingRows } from './table/host.ts';

/** A real worker takes a run, lets the agent work, collects what it has left, and then checks the same repository. */
describe('settings in a repository, before a worker', () => {
  const folder = temporaryFolder();
  let server: ScriptedServer;
  let worker: TestWorker;
  let port: Server;
  let asked = 0;

  beforeAll(async () => {
    chmodSync(folder, 0o777);
    port = createServer(peer => {
      asked += 1;
      peer.destroy();
    });
    await new Promise<void>(resolve => port.listen(0, '127.0.0.1', resolve));
    server = await startScriptedServer();
    worker = await startWorker(server);
  });
  afterAll(async () => {
    await worker.stop({ graceMs: 0 });
    await server.close();
    port.close();
  });

  async function ended(task: QueuedTask): Promise<QueuedRun> {
    const run = server.queue(task);
    await server.until(() => run.state === 'submitted' || run.state === 'failed');
    return run;
  }

  it.each(settingRows)('$attempt', async ({ attempt, answers }) => {
    const bait = baits({ folder, port: (port.address() as AddressInfo).port })[attempt];
    if (bait === undefined) throw new Error(`nothing tries "${attempt}"`);
    const repository = makeRepository({ ...bait.files, 'agent.sh': script(...bait.lines) });
    const worked = await ended({ repository });
    expect(worked.failure).toBeUndefined();
    expect(worked.state).toBe('submitted');
    const checked = await ended({ repository, subject: 'review', agent: null, checks: [{ name: 'all', command: ['true'] }] });
    expect(checked.result?.checks).toMatchObject([{ outcome: 'exited', exit_code: 0 }]);

    const started = [...readdirSync(folder), ...(asked > 0 ? ['a connection'] : [])];
    expect(answers).toContain(started.length === 0 ? 'nothing' : started.join(', '));
  });

  it('leaves no row untried', () => {
    expect(Object.keys(baits({ folder, port: 1 })).sort()).toEqual(settingRows.map(({ attempt }) => attempt).sort());
  });
});
