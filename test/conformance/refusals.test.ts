import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { isFault } from '../../src/kernel/fault.ts';
import type { Sandbox, SandboxCommand } from '../../src/worker/sandbox.ts';
import { sandboxFolder, startSandboxWorker } from '../harness/sandbox-worker.ts';
import type { Who } from '../harness/sandbox-worker.ts';

const MiB = 2 ** 20;
const LIMITS = { memoryBytes: 512 * MiB, processCount: 64, cpuCount: 1, tmpBytes: MiB, workspaceBytes: 64 * 2 ** 20 };

async function run(sandbox: Sandbox, argv: SandboxCommand['argv'], more: Partial<SandboxCommand> = {}) {
  const output = { stdout: '', stderr: '' };
  const exit = await sandbox.exec({
    argv,
    timeoutMs: 20_000,
    outputBytesMax: MiB,
    onOutput: (stream, chunk) => void (output[stream] += chunk.toString()),
    ...more,
  });
  return { ...output, exit };
}

describe('where no sandbox can be made', () => {
  const who: Who = 'an ordinary user';
  const home = sandboxFolder(who);
  afterAll(() => home.remove());

  async function refusal(start: Parameters<typeof startSandboxWorker>[0]): Promise<string> {
    const worker = await startSandboxWorker({ folder: home.folder, ...start });
    try {
      const probe = await worker.provider.probe();
      await expect(worker.provider.create({ id: 'x', limits: LIMITS, files: [], folders: [] })).rejects.toSatisfy(error =>
        isFault(error, 'sandbox_unavailable'),
      );
      return probe.ok ? 'a sandbox was made' : `${probe.why} → ${probe.hint}`;
    } finally {
      await worker.kill();
    }
  }

  it('names the program that is missing and its package', async () => {
    const empty = mkdtempSync(join(tmpdir(), 'skep-empty-'));
    expect(await refusal({ who, path: empty })).toBe(`bwrap is not on ${empty} → apt-get install bubblewrap`);
    for (const name of ['bwrap', 'unshare']) symlinkSync(`/usr/bin/${name}`, join(empty, name));
    execFileSync('chmod', ['755', empty]);
    expect(await refusal({ who, path: empty })).toBe(`setpriv is not on ${empty} → apt-get install util-linux`);
    rmSync(empty, { recursive: true });
  });

  it('names the program that other kinds lack', async () => {
    const empty = mkdtempSync(join(tmpdir(), 'skep-empty-'));
    execFileSync('chmod', ['755', empty]);
    expect(await refusal({ who, provider: 'oci', path: empty })).toBe(`podman is not on ${empty} → apt-get install podman`);
    symlinkSync('/bin/true', join(empty, 'podman'));
    expect(await refusal({ who, provider: 'oci:runsc', path: empty })).toBe(`runsc is not on ${empty} → apt-get install runsc`);
    expect(await refusal({ who, provider: 'process', path: empty })).toBe(
      `setpriv is not on ${empty} → apt-get install util-linux`,
    );
    rmSync(empty, { recursive: true });
  });

  it('says why a plain process finds no place for its workspace', async () => {
    const off = ['sh', '-c', 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"', 'sh'];
    const wrap = ['unshare', '--user', '--map-current-user', '--keep-caps', ...off];
    expect(await refusal({ who, provider: 'process', wrap })).toMatch(
      /^the mount namespace of a command could not be made: unshare/,
    );
  });

  it('names the setting that switches user namespaces off', async () => {
    const off = ['sh', '-c', 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"', 'sh'];
    const wrap = ['unshare', '--user', '--map-current-user', '--keep-caps', ...off];
    expect(await refusal({ who, wrap })).toMatch(/unshare.* → .*sysctl -w user\.max_user_namespaces=15000/);
  });

  it('says that the folder cannot be written', async () => {
    expect(await refusal({ who, folder: '/usr/skep' })).toMatch(
      /^the folder \/usr\/skep cannot be used: .* → make it a folder of the user/,
    );
  });

  it('refuses as a root that has no other user ids', async () => {
    expect(await refusal({ who, wrap: ['unshare', '--user', '--map-root-user'] })).toMatch(/no other user id/);
  });

  it.skipIf(process.geteuid?.() !== 0)('says that the disk is full', async () => {
    const small = mkdtempSync(join(tmpdir(), 'skep-small-'));
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', small]);
    const worker = await startSandboxWorker({ who: 'root', folder: small });
    try {
      const files = [{ path: '/skep/big', content: 'x'.repeat(5_000_000) }];
      const create = worker.provider.create({ id: 'big', limits: LIMITS, files, folders: [] });
      await expect(create).rejects.toSatisfy(error => isFault(error, 'disk_full'));
      expect(readdirSync(small).filter(name => name.includes('~'))).toEqual([]);
      const sandbox = await worker.provider.create({ id: 'small', limits: LIMITS, files: [], folders: [] });
      await expect(run(sandbox, ['cat'], { stdin: 'x'.repeat(5_000_000) })).rejects.toSatisfy(error =>
        isFault(error, 'disk_full'),
      );
      await sandbox.kill();
    } finally {
      await worker.kill();
      execFileSync('umount', [small]);
      rmSync(small, { recursive: true });
    }
  });
});
