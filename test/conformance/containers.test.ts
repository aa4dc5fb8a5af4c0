import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { allPids, processInfo } from '../../src/kernel/processes/info.ts';
import { guardName } from '../../src/providers/sandboxes/oci/guard.ts';
import type { Sandbox } from '../../src/worker/sandbox.ts';
import { until } from '../harness/process.ts';
import { sandboxFolder, startSandboxWorker, subjects } from '../harness/sandbox-worker.ts';
import type { ProviderName, SandboxWorker } from '../harness/sandbox-worker.ts';

const limits = { memoryBytes: 256 * 2 ** 20, processCount: 16, cpuCount: 1, tmpBytes: 2 ** 20, workspaceBytes: 64 * 2 ** 20 };
const quiet = { timeoutMs: 60_000, outputBytesMax: 65_536, onOutput: () => {} };

/** What only containers have: an engine that keeps a note of each, and that no worker is the parent of. An ordinary user's tells only that user. */
describe.each(subjects.filter(({ isContainer, who }) => isContainer && who === 'root'))(
  'a container of $provider',
  ({ provider, who, possible }) => {
    const check = it.runIf(possible);
    const ask = engineOf(provider);
    let home: ReturnType<typeof sandboxFolder>;
    const workers: SandboxWorker[] = [];
    beforeEach(() => {
      home = sandboxFolder(who);
    });
    afterEach(async () => {
      await Promise.all(workers.splice(0).map(worker => worker.kill()));
      home.remove();
    });

    async function worker(): Promise<SandboxWorker> {
      const started = await startSandboxWorker({ provider, who, folder: home.folder });
      workers.push(started);
      return started;
    }

    function sleeping(sandbox: Sandbox, env: Record<string, string>): Promise<void> {
      return new Promise(onStart => {
        sandbox.exec({ ...quiet, argv: ['sleep', '1000'], env, onStart }).catch(() => {});
      });
    }

    /** Names of those whose worker this is. */
    function containersOf(pid: number): string[] {
      const printed = ask('ps', '--all', '--filter', 'label=skep.owner', '--format', '{{.Names}}');
      return printed.split('\n').filter(name => name.startsWith(`skep_${pid}.`));
    }

    check(
      'shows its secrets to nobody: not in the notes of its engine, in no process list, in no environment but its own',
      async () => {
        const { provider: sandboxes, pid } = await worker();
        const sandbox = await sandboxes.create({ id: 'secret', limits, files: [], folders: [] });
        const secret = `canary-${randomBytes(8).toString('hex')}`;
        await sleeping(sandbox, { SECRET: secret });
        const [name = ''] = containersOf(pid);
        const notes = ask('inspect', name);
        expect(notes).toContain('no-new-privileges');
        expect(notes).not.toContain(secret);
        const holders = (file: string) => allPids().filter(each => readOr(`/proc/${each}/${file}`).includes(secret));
        expect(holders('cmdline')).toEqual([]);
        await until('the command runs', () => (holders('environ').length > 0 ? true : undefined));
        expect(holders('environ').map(each => readOr(`/proc/${each}/comm`).trim())).toEqual(['sleep']);
        await sandbox.kill();
        expect(containersOf(pid)).toEqual([]);
      },
    );

    check('is removed by the next worker where nobody saw that its own had died', async () => {
      const doomed = await worker();
      const sandbox = await doomed.provider.create({ id: 'lost', limits, files: [], folders: [] });
      await sleeping(sandbox, {});
      const guard = allPids().find(pid => processInfo(pid)?.argv.includes(guardName) && parentOf(pid) === doomed.pid) ?? 0;
      process.kill(guard, 'SIGKILL');
      await doomed.kill();
      expect(containersOf(doomed.pid)).toHaveLength(1);
      const heir = await worker();
      expect(await heir.reap(['true'])).toEqual({ count: 1, orphans: [{ id: 'lost', text: '' }] });
      expect(containersOf(doomed.pid)).toEqual([]);
    });
  },
);

function engineOf(provider: ProviderName): (...args: readonly string[]) => string {
  return (...args) => execFileSync(provider === 'oci:docker' ? 'docker' : 'podman', args, { encoding: 'utf8' });
}

function parentOf(pid: number): number {
  return Number(/^PPid:\s+(\d+)/m.exec(readOr(`/proc/${pid}/status`))?.[1]);
}

function readOr(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
