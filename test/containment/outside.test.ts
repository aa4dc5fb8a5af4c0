import { readFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SandboxWorth } from '../../contract/fleet/sandboxes.ts';
import { allPids, processInfo } from '../../src/kernel/processes/info.ts';
import type { Sandbox } from '../../src/worker/sandbox.ts';
import { sandboxFolder } from '../harness/sandbox-worker.ts';
import type { SandboxWorker } from '../harness/sandbox-worker.ts';
import { hostileSpec, run } from './hostile.ts';
import { chosen, startContained } from './providers.ts';

/** A sandbox as the host sees it. */
describe.each(chosen)('a command in a sandbox, seen from outside: $name', ({ provider, who, possible }) => {
  const home = sandboxFolder(who);
  const secret = `secret-${randomBytes(8).toString('hex')}`;
  let worker: SandboxWorker;
  let worth: SandboxWorth;
  let sandbox: Sandbox;
  const check = it.skipIf(!possible);

  beforeAll(async () => {
    if (!possible) return;
    worker = await startContained({ provider, who, folder: home.folder });
    const probe = await worker.provider.probe();
    if (!probe.ok) throw new Error(probe.why);
    worth = probe.worth;
    sandbox = await worker.provider.create(hostileSpec('outside'));
  });
  afterAll(async () => {
    await sandbox?.kill();
    await worker?.kill();
    home.remove();
  });

  check('has no right of root on the host, no capability, no way to gain one', async () => {
    if (worth.isolation === 'none') return;
    const done = new AbortController();
    const uids: number[] = [];
    const { stdout } = await run(
      sandbox,
      ['sh', '-c', 'grep -E "^(Cap|NoNewPrivs|Seccomp)" /proc/self/status; exec sleep 9876.5'],
      {
        signal: done.signal,
        onOutput: (_, chunk, text = chunk.toString()) => {
          if (!text.includes('Seccomp_filters')) return;
          const pids = allPids().filter(pid => processInfo(pid)?.argv.some(word => word.includes('9876.5')));
          uids.push(...pids.flatMap(uidsOf));
          done.abort();
        },
      },
    );
    expect(stdout.match(/^(Cap\w+):\s+0+$/gm)).toHaveLength(5);
    expect(stdout).toMatch(/NoNewPrivs:\s+1/);
    expect(stdout).toMatch(/Seccomp:\s+2/);
    expect(uids.length).toBeGreaterThan(0);
    // The waiting launcher of root's sandboxes keeps its id and runs nothing else; what came out of it has none of root's.
    const inside = uids.filter(uid => uid !== 0);
    expect(inside.length).toBeGreaterThanOrEqual(uids.length - 4);
    if (who === 'root') expect(inside.every(uid => uid >= 50_000)).toBe(true);
  });

  check('shows its secrets in no process list and in no environment but its own', async () => {
    const done = new AbortController();
    const running = run(sandbox, ['sleep', '9876.25'], { env: { SECRET: secret }, signal: done.signal });
    const look = (): string[] => {
      const holders = (file: string) => allPids().filter(pid => readOr(`/proc/${pid}/${file}`).includes(secret));
      return [
        ...holders('cmdline').map(pid => `cmdline of ${pid}`),
        ...holders('environ').map(pid => readOr(`/proc/${pid}/comm`).trim()),
      ];
    };
    // Whatever starts it may be there for a moment; what stays is what counts.
    let seen: string[] = [];
    await expect.poll(() => (seen = look())).toContain('sleep');
    expect(seen.filter(each => each.startsWith('cmdline'))).toEqual([]);
    await expect.poll(look).toEqual(['sleep']);
    done.abort();
    await running;
  });
});

function uidsOf(pid: number): number[] {
  const line = /^Uid:\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+)/m.exec(readOr(`/proc/${pid}/status`));
  return line ? [Math.min(...line.slice(1).map(Number))] : [];
}

function readOr(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
