import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../kernel/clock.ts';
import { isFault } from '../../kernel/fault.ts';
import { silentLog } from '../../kernel/log.ts';
import type { Sandbox, SandboxProvider, SandboxSpec, Snapshot } from '../../worker/sandbox.ts';
import { createLocalSandboxes } from './local/index.ts';
import { createSnapshots } from './snapshots.ts';

const limits = { memoryBytes: 2 ** 28, processCount: 16, cpuCount: 1, tmpBytes: 2 ** 20, workspaceBytes: 32 * 2 ** 20 };

let folder: string;
let provider: SandboxProvider;
const made: Sandbox[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'skep-snapshots-'));
  provider = createLocalSandboxes({ folder, clock: systemClock, log: silentLog });
});
afterEach(async () => {
  await Promise.all(made.splice(0).map(sandbox => sandbox.kill()));
  rmSync(folder, { recursive: true, force: true });
});

const ways = {
  'the provider itself': (spec: SandboxSpec) => provider.create(spec),
  'an archive': (spec: SandboxSpec) => archives(spec),
};
let archives: (spec: SandboxSpec) => Promise<Sandbox>;
beforeEach(() => {
  archives = createSnapshots(folder).creating(spec => provider.create(spec));
});

const snapshotsIn = () => readdirSync(folder).filter(name => name.startsWith('snapshot.'));

async function snapshotOf(sandbox: Sandbox): Promise<Snapshot> {
  if (sandbox.snapshot === undefined) throw new Error('this provider has no snapshots');
  return await sandbox.snapshot();
}

async function sh(sandbox: Sandbox, script: string): Promise<string> {
  let text = '';
  const onOutput = (_stream: string, chunk: Buffer): void => void (text += chunk.toString());
  await sandbox.exec({ argv: ['sh', '-c', script], timeoutMs: 20_000, outputBytesMax: 65_536, onOutput });
  return text;
}

describe.each(Object.entries(ways))('a snapshot by %s', (_, create) => {
  async function sandbox(id: string, more: Partial<SandboxSpec> = {}): Promise<Sandbox> {
    const one = await create({ id, limits, files: [], folders: [], ...more });
    made.push(one);
    return one;
  }

  it('is what other workspaces begin as, each its own, whatever becomes of the first', async () => {
    const first = await sandbox('first');
    await sh(
      first,
      'mkdir deep && echo one > deep/file && chmod 750 deep && ln -s /etc/passwd link && printf "#!/bin/sh\\necho ran" > run && chmod +x run',
    );
    const snapshot = await snapshotOf(first);
    await sh(first, 'echo two > deep/file');
    await first.kill();
    const [second, third] = [await sandbox('second', { from: snapshot }), await sandbox('third', { from: snapshot })];
    const look = 'cat deep/file; stat -c "%a %U" deep; readlink link; ./run; stat -c %U link';
    expect(await sh(second, look)).toBe('one\n750 agent\n/etc/passwd\nran\nagent\n');
    expect(await sh(second, 'echo three > deep/file && rm run && cat deep/file')).toBe('three\n');
    expect(await sh(third, look)).toBe('one\n750 agent\n/etc/passwd\nran\nagent\n');
    await snapshot.remove();
    await snapshot.remove();
    expect(await sh(third, 'cat deep/file; ls /skep/snapshot 2>&1 | grep tar')).toBe('one\n');
    await Promise.all([second.kill(), third.kill(), third.kill()]);
    expect(snapshotsIn()).toEqual([]);
  });

  it('of another provider, or one that is removed, is refused', async () => {
    const snapshot = await snapshotOf(await sandbox('first'));
    const stranger: Snapshot = { id: snapshot.id, remove: () => Promise.resolve() };
    await expect(sandbox('second', { from: stranger })).rejects.toSatisfy(error => isFault(error, 'invalid_request'));
    await snapshot.remove();
    await expect(sandbox('third', { from: snapshot })).rejects.toSatisfy(error => isFault(error, 'invalid_request'));
    expect(readdirSync(folder).filter(name => /^(second|third)~/.test(name))).toEqual([]);
  });

  it('can not be taken of what is removed', async () => {
    const first = await sandbox('first');
    await first.kill();
    await expect(snapshotOf(first)).rejects.toSatisfy(error => isFault(error, 'wrong_state'));
    expect(snapshotsIn()).toEqual([]);
  });
});

describe.skipIf(process.geteuid?.() !== 0)('a snapshot of a disk', () => {
  const spec = { id: 'first', limits, files: [], folders: [] };

  it('is refused while a command runs, and no command begins while it is taken', async () => {
    const first = await provider.create(spec);
    made.push(first);
    const abort = new AbortController();
    const refused = new Promise<unknown>(resolve => {
      const onStart = () => {
        first.snapshot?.().catch(resolve);
      };
      void first
        .exec({
          argv: ['sleep', '1000'],
          timeoutMs: 20_000,
          outputBytesMax: 100,
          onOutput: () => {},
          onStart,
          signal: abort.signal,
        })
        .catch(resolve);
    });
    expect(await refused).toMatchObject({ code: 'wrong_state', message: 'a command runs in the sandbox first' });
    abort.abort();
    await expect.poll(async () => (await first.stats()).state).toBe('gone');
    await expect.poll(() => first.snapshot?.().then(snapshot => snapshot.remove())).toBeUndefined();
    const taken = first.snapshot?.();
    await expect(sh(first, 'true')).rejects.toSatisfy(error => isFault(error, 'wrong_state'));
    await first.kill();
    await (await taken)?.remove();
    expect(snapshotsIn()).toEqual([]);
  });

  it('is not of another size', async () => {
    const first = await provider.create(spec);
    made.push(first);
    const from = await snapshotOf(first);
    const other = provider.create({ ...spec, id: 'other', from, limits: { ...limits, workspaceBytes: 16 * 2 ** 20 } });
    await expect(other).rejects.toMatchObject({ code: 'invalid_request', message: expect.stringContaining('not of 16777216') });
  });
});
