import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isFault } from '../../src/kernel/fault.ts';
import type { Sandbox, SandboxExit } from '../../src/worker/sandbox.ts';
import { removeTree } from '../harness/disks.ts';
import { startSandboxWorker, subjects } from '../harness/sandbox-worker.ts';
import type { SandboxWorker } from '../harness/sandbox-worker.ts';

const MiB = 2 ** 20;
const limits = { memoryBytes: 512 * MiB, processCount: 32, cpuCount: 1, tmpBytes: MiB, workspaceBytes: 128 * MiB };

/** With disks of their own; each takes from the worker's what is written to it. */
const chosen = subjects.filter(({ who, isContainer }) => who === 'root' && !isContainer);

describe.each(chosen)("a workspace where the worker's disk is full: $provider", ({ provider, who, possible }) => {
  const check = it.runIf(possible);
  let top: string;
  let worker: SandboxWorker;

  beforeAll(async () => {
    if (!possible) return;
    top = mkdtempSync(join(tmpdir(), 'skep-full-'));
    const [image, home] = [join(top, 'image'), join(top, 'home')];
    execFileSync('truncate', ['--size', '160M', image]);
    execFileSync('mkfs.ext4', ['-q', '-F', image]);
    mkdirSync(home);
    execFileSync('mount', ['-o', 'loop', image, home]);
    worker = await startSandboxWorker({ provider, who, folder: join(home, 'sandboxes') });
  });
  afterAll(async () => {
    if (!possible) return;
    await worker.kill();
    removeTree(top);
    rmSync(top, { recursive: true, force: true });
  });

  function sh(sandbox: Sandbox, script: string): Promise<SandboxExit> {
    const argv = ['sh', '-c', script] as const;
    return sandbox.exec({ argv, timeoutMs: 60_000, outputBytesMax: 65_536, onOutput: () => {} });
  }

  check('fails no command for it: the fault is told, and the workspace is not used again', async () => {
    const create = (id: string) => worker.provider.create({ id, limits, files: [], folders: [] });
    const [large, other] = [await create('large'), await create('other')];
    const fill = 'dd if=/dev/zero of=file bs=1M count=100 conv=fsync';
    expect(await sh(large, fill)).toMatchObject({ reason: 'exited', code: 0 });
    const isFull = (error: unknown) => isFault(error, 'disk_full') && /the worker's disk is full/.test(error.message);
    await expect(sh(other, fill)).rejects.toSatisfy(isFull);
    await expect(sh(other, 'true')).rejects.toSatisfy(isFull);
    await other.kill();
    // Whose all was stored goes on.
    expect(await sh(large, 'rm file && echo small > small && sync small')).toMatchObject({ reason: 'exited', code: 0 });
    await large.kill();
    const next = await create('next');
    expect(await sh(next, fill)).toMatchObject({ reason: 'exited', code: 0 });
    await next.kill();
  });
});
