import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../kernel/clock.ts';
import { isFault } from '../../kernel/fault.ts';
import { silentLog } from '../../kernel/log.ts';
import { snapshotsMax } from '../../worker/sandbox.ts';
import type { Sandbox, SandboxProvider, SandboxSpec, Snapshot } from '../../worker/sandbox.ts';
import { createLocalSandboxes } from './local/index.ts';
import { createProcessSandboxes } from './process/index.ts';
import { createSnapshots } from './snapshots.ts';

const limits = { memoryBytes: 2 ** 28, processCount: 16, cpuCount: 1, tmpBytes: 2 ** 20, workspaceBytes: 32 * 2 ** 20 };

let folder: string;
let provider: SandboxProvider;
const made: Sandbox[] = [];
const taken: Snapshot[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'skep-snapshots-'));
});
afterEach(async () => {
  await Promise.all(made.splice(0).map(sandbox => sandbox.kill()));
  await Promise.all(taken.splice(0).map(snapshot => snapshot.remove()));
  rmSync(folder, { recursive: true, force: true });
});

const place = () => ({ folder, clock: systemClock, log: silentLog });
const providers = {
  local: () => createLocalSandboxes(place()),
  'local without the compiled part': () => createLocalSandboxes({ ...place(), native: false }),
  process: () => createProcessSandboxes(place()),
  'process without the compiled part': () => createProcessSandboxes({ ...place(), native: false }),
};
const own = Object.entries(providers).map(([name, make]) => ({ name, make, archived: false }));

const snapshotsIn = () => readdirSync(folder).filter(name => name.startsWith('snapshot.'));

async function snapshotOf(sandbox: Sandbox): Promise<Snapshot> {
  if (sandbox.snapshot === undefined) throw new Error('this provider has no snapshots');
  const snapshot = await sandbox.snapshot();
  taken.push(snapshot);
  return snapshot;
}

async function sh(sandbox: Sandbox, script: string): Promise<string> {
  let text = '';
  const onOutput = (_stream: string, chunk: Buffer): void => void (text += chunk.toString());
  await sandbox.exec({ argv: ['sh', '-c', script], timeoutMs: 20_000, outputBytesMax: 65_536, onOutput });
  return text;
}

describe.each([...own, { name: 'an archive', make: providers.local, archived: true }])('a snapshot by $name', way => {
  let create: (spec: SandboxSpec) => Promise<Sandbox>;
  beforeEach(() => {
    provider = way.make();
    const plain = (spec: SandboxSpec) => provider.create(spec);
    create = way.archived ? createSnapshots(folder).on(undefined, plain) : plain;
  });

  async function sandbox(id: string, more: Partial<SandboxSpec> = {}): Promise<Sandbox> {
    const one = await create({ id, limits, files: [], folders: [], ...more });
    made.push(one);
    return one;
  }

  async function snapshotWith(script: string): Promise<Snapshot> {
    const one = await sandbox(`with-${taken.length}`);
    await sh(one, script);
    return await snapshotOf(one);
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
    const [second, third] = [await sandbox('second', { from: [snapshot] }), await sandbox('third', { from: [snapshot] })];
    const look = 'cat deep/file; stat -c %a deep; readlink link; ./run; [ -z "$(find . ! -user $(id -u))" ] && echo own';
    expect(await sh(second, look)).toBe('one\n750\n/etc/passwd\nran\nown\n');
    expect(await sh(second, 'echo three > deep/file && rm run && cat deep/file')).toBe('three\n');
    expect(await sh(third, look)).toBe('one\n750\n/etc/passwd\nran\nown\n');
    await snapshot.remove();
    await snapshot.remove();
    expect(await sh(third, 'cat deep/file; ls /skep/snapshot/0 2>&1 | grep tar')).toBe('one\n');
    await Promise.all([second.kill(), third.kill(), third.kill()]);
    expect(snapshotsIn()).toEqual([]);
  });

  it('lies over those that are named before it', async () => {
    const below = await snapshotWith('mkdir both; echo below > both/same; echo below > both/old; echo link > to; ln -s to name');
    const above = await snapshotWith('mkdir both; echo above > both/same; echo above > both/new; echo name > name');
    const merged = await sandbox('merged', { from: [below, above] });
    expect(await sh(merged, 'cd both; ls; cat same old new; cat ../name ../to')).toBe(
      'new\nold\nsame\nabove\nbelow\nabove\nname\nlink\n',
    );
    expect(await sh(merged, 'rm both/old && mkdir both/old && echo in > both/old/in && cat both/old/in')).toBe('in\n');
    const turned = await sandbox('turned', { from: [above, below] });
    expect(await sh(turned, 'cat both/same; readlink name')).toBe('below\nto\n');
  });

  it('of what began as a snapshot has all of it and lacks what was removed, also when that one is gone', async () => {
    const below = await snapshotWith('mkdir deep; echo one > deep/one; echo two > deep/two; echo three > three');
    const next = await sandbox('next', { from: [below] });
    await sh(next, 'rm deep/one three; echo changed > deep/two; echo four > four');
    const both = await snapshotOf(next);
    await next.kill();
    await below.remove();
    const last = await sandbox('last', { from: [both] });
    expect(await sh(last, 'ls deep .; cat deep/two four')).toBe('.:\ndeep\nfour\n\ndeep:\ntwo\nchanged\nfour\n');
  });

  it('begins nothing that is kept', async () => {
    const first = await sandbox('first', { keeps: true });
    await sh(first, 'echo secret > /kept/secret; echo work > work');
    const next = await sandbox('next', { keeps: true, from: [await snapshotOf(first)] });
    expect(await sh(next, 'ls /kept .; echo mine > /kept/mine && cat /kept/mine')).toBe('.:\nwork\n\n/kept:\nmine\n');
  });

  it('of another provider, one that is removed, or one too many is refused', async () => {
    const snapshot = await snapshotOf(await sandbox('first'));
    const stranger: Snapshot = { id: snapshot.id, remove: () => Promise.resolve() };
    const refused = (from: readonly Snapshot[]) =>
      expect(sandbox('second', { from })).rejects.toSatisfy(error => isFault(error, 'invalid_request'));
    await refused([stranger]);
    await refused(Array.from({ length: snapshotsMax + 1 }, () => snapshot));
    await snapshot.remove();
    await refused([snapshot]);
    expect(readdirSync(folder).filter(name => name.startsWith('second~'))).toEqual([]);
  });

  it('can not be taken of what is removed', async () => {
    const first = await sandbox('first');
    await first.kill();
    await expect(snapshotOf(first)).rejects.toSatisfy(error => isFault(error, 'wrong_state'));
    expect(snapshotsIn()).toEqual([]);
  });
});

describe.skipIf(process.geteuid?.() !== 0).each(own)('a snapshot of a disk by $name', ({ make }) => {
  const spec = { id: 'first', limits, files: [], folders: [] };
  beforeEach(() => {
    provider = make();
  });

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
    const copy = first.snapshot?.();
    await expect(sh(first, 'true')).rejects.toSatisfy(error => isFault(error, 'wrong_state'));
    await first.kill();
    await (await copy)?.remove();
    expect(snapshotsIn()).toEqual([]);
  });

  it('is not of another size', async () => {
    const first = await provider.create(spec);
    made.push(first);
    const from = [await snapshotOf(first)];
    const other = provider.create({ ...spec, id: 'other', from, limits: { ...limits, workspaceBytes: 16 * 2 ** 20 } });
    await expect(other).rejects.toMatchObject({ code: 'invalid_request', message: expect.stringContaining('not of 16777216') });
  });
});
