import { execFileSync, fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, copyFileSync, openSync, readdirSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/kernel/clock.ts';
import type { Sandbox, SandboxCommand, SandboxSpec } from '../../src/worker/sandbox.ts';
import { loopsOf, mountsIn } from '../harness/disks.ts';
import { until } from '../harness/process.ts';
import { sandboxFolder, startSandboxWorker, subjects } from '../harness/sandbox-worker.ts';
import type { ProviderName, SandboxWorker } from '../harness/sandbox-worker.ts';

const MiB = 2 ** 20;
const limits = { memoryBytes: 256 * MiB, processCount: 32, cpuCount: 1, tmpBytes: MiB, workspaceBytes: 32 * MiB };

let home: ReturnType<typeof sandboxFolder>;
let provider: ProviderName = 'local';
const workers: SandboxWorker[] = [];
const children: ChildProcess[] = [];

afterEach(async () => {
  await Promise.all(workers.splice(0).map(worker => worker.kill()));
  for (const child of children.splice(0)) child.kill('SIGKILL');
  home.remove();
});

async function worker(who: 'root' | 'an ordinary user' = 'root', wrap: readonly string[] = []): Promise<SandboxWorker> {
  const started = await startSandboxWorker({ provider, who, folder: home.folder, wrap });
  workers.push(started);
  return started;
}

async function sh(sandbox: Sandbox, script: string, more: Partial<SandboxCommand> = {}) {
  let text = '';
  const exit = await sandbox.exec({
    argv: ['sh', '-c', script],
    timeoutMs: 40_000,
    outputBytesMax: MiB,
    onOutput: (_stream, chunk) => void (text += chunk.toString()),
    ...more,
  });
  return { text, exit };
}

const folders = () => readdirSync(home.folder).filter(name => name.includes('~'));
const create = (from: SandboxWorker, id: string, more: Pick<SandboxSpec, 'keeps' | 'from'> = {}) =>
  from.provider.create({ id, limits, files: [], folders: [], ...more });

function never(): never {
  throw new Error('these sandboxes have no snapshots');
}

async function nothingLeft(): Promise<void> {
  expect(folders()).toEqual([]);
  expect(mountsIn(home.folder)).toEqual([]);
  await until('every loop device is free', () => (loopsOf(home.folder).length === 0 ? true : undefined));
}

const onDisks = subjects.filter(each => each.who === 'root' && each.possible && !each.isContainer);

describe.each(onDisks)('a workspace on a disk of its own: $provider', subject => {
  const isLocal = subject.provider !== 'process';
  beforeEach(() => {
    home = sandboxFolder('root');
    ({ provider } = subject);
  });

  it('holds no more bytes than its limit, with what is kept, and says how many', async () => {
    const host = await worker();
    const probe = await host.provider.probe();
    expect(probe).toMatchObject({ ok: true, worth: { limits: { workspace: 'enforced' } } });
    const [full, other] = [await create(host, 'full', { keeps: true }), await create(host, 'other')];
    expect((await full.stats()).workspaceBytes).toBeLessThan(MiB);
    const { text } = await sh(full, 'dd if=/dev/zero of=/kept/a bs=1M count=20 2>&1; dd if=/dev/zero of=b bs=1M count=20 2>&1');
    expect(text.match(/No space left on device/g)).toHaveLength(1);
    const used = (await full.stats()).workspaceBytes ?? 0;
    expect(used).toBeGreaterThan(26 * MiB);
    expect(used).toBeLessThanOrEqual(32 * MiB);
    expect((await sh(other, 'dd if=/dev/zero of=a bs=1M count=20 status=none && echo fits')).text).toBe('fits\n');
    expect((await sh(full, 'rm b && echo again > c && cat c')).text).toBe('again\n');
    await Promise.all([full.kill(), other.kill()]);
    await nothingLeft();
  });

  it('holds no more files than it has inodes for', async () => {
    const host = await worker();
    const sandbox = await create(host, 'many');
    const script =
      'i=0; while [ $i -lt 6000 ] && (: > f$i); do i=$((i + 1)); done; echo $i; find . -name "f*" -delete; : > f && echo clean';
    const { text } = await sh(sandbox, script);
    expect(text).toMatch(/No space left on device/);
    expect(Number(/^(\d+)$/m.exec(text)?.[1])).toBeLessThan(4_200);
    expect(text).toMatch(/clean\n$/);
    await sandbox.kill();
    await nothingLeft();
  });

  it('takes a file that is larger than it in name alone', async () => {
    const host = await worker();
    const sandbox = await create(host, 'sparse');
    expect((await sh(sandbox, 'truncate -s 10G large && stat -c %s large')).text).toBe(`${10 * 2 ** 30}\n`);
    expect((await sandbox.stats()).workspaceBytes).toBeLessThan(MiB);
    await sandbox.kill();
  });

  it('is gone with its sandbox, also while something of the host looks into it', async () => {
    const host = await worker();
    const sandbox = await create(host, 'seen');
    await sh(sandbox, 'echo text > file');
    const [folder = ''] = folders();
    const fd = openSync(join(home.folder, folder, 'slot', 'work', 'file'), 'r');
    await sandbox.kill();
    expect([folders(), mountsIn(home.folder)]).toEqual([[], []]);
    closeSync(fd);
    await nothingLeft();
  });

  it('is held by no command of another sandbox', async () => {
    const host = await worker();
    const [brief, long] = [await create(host, 'brief'), await create(host, 'long')];
    await sh(brief, 'echo text > file');
    const abort = new AbortController();
    const ended = new Promise<Awaited<ReturnType<typeof sh>>>((resolve, reject) => {
      const begun = sh(long, 'sleep 1000', { signal: abort.signal, onStart: () => void gone().catch(reject) });
      begun.then(resolve, reject);
    });
    async function gone(): Promise<void> {
      await brief.kill();
      await until('the loop device is free', () => (loopsOf(home.folder).length === 1 ? true : undefined));
      abort.abort();
    }
    expect((await ended).exit.reason).toBe('aborted');
    await long.kill();
    await nothingLeft();
  });

  it('is mounted again after the machine was, with what was written', async () => {
    const doomed = await worker();
    const sandbox = await create(doomed, 'lost', { keeps: true });
    await sh(sandbox, 'echo work > left; echo more > /kept/left; sync');
    const [name = ''] = folders();
    const image = join(home.folder, name, 'disk.img');
    // As it lies on the disk at this moment, and not as it is left by an orderly end.
    copyFileSync(image, `${image}.then`);
    const { uid } = statSync(join(home.folder, name, 'slot/work'));
    await doomed.kill();
    for (const place of mountsIn(home.folder)) execFileSync('umount', [place]);
    renameSync(`${image}.then`, image);
    const heir = await worker();
    const seen = await heir.reap(['sh', '-c', 'cat left /kept/left; [ -O left ] && echo new > new && cat new']);
    expect(seen).toEqual({ count: 1, orphans: [{ id: 'lost', text: 'work\nmore\nnew\n' }] });
    expect(readdirSync('/run/skep/sandbox-uids')).not.toContain(String(uid));
    await nothingLeft();
  });

  it.each(['was killed', 'lost its power'])('is whole, with what it began as, after its worker %s', async how => {
    const doomed = await worker();
    const first = await create(doomed, 'first');
    await sh(first, 'mkdir old; echo one > old/one; echo two > old/two');
    const from = [(await first.snapshot?.()) ?? never()];
    const second = await create(doomed, 'second', { from });
    await sh(second, 'echo more >> old/two; rm old/one; echo three > three; sync');
    await doomed.kill();
    if (how === 'lost its power') for (const place of mountsIn(home.folder)) execFileSync('umount', [place]);
    const heir = await worker();
    // With the snapshot that it has left.
    expect(await heir.reap(['sh', '-c', 'cat */* three; echo new > old/new && ls old'])).toEqual({
      count: 3,
      orphans: [
        { id: 'second', text: 'two\nmore\nthree\nnew\ntwo\n' },
        { id: 'first', text: expect.stringMatching(/^one\ntwo\n/) },
      ],
    });
    await nothingLeft();
  });

  it('stays where it is while its image is no file system, and can be removed', async () => {
    const doomed = await worker();
    await sh(await create(doomed, 'torn'), 'true');
    const [name = ''] = folders();
    await doomed.kill();
    for (const place of mountsIn(home.folder)) execFileSync('umount', [place]);
    execFileSync('dd', ['if=/dev/zero', `of=${join(home.folder, name, 'disk.img')}`, 'bs=1M', 'count=32', 'status=none']);
    const heir = await worker();
    expect(await heir.reap(['true'])).toEqual({ count: 0, orphans: [] });
    expect(folders()).toEqual([name]);
    expect(await heir.provider.reapOrphans()).toBe(1);
    await nothingLeft();
  });

  it.runIf(isLocal)('leaves nothing behind, at whatever point the worker is killed', async () => {
    for (let round = 0; round < 12; round += 1) {
      const doomed = await prewarmed();
      await systemClock.sleep(round * 17);
      doomed.kill('SIGKILL');
      await once(doomed, 'exit');
    }
    const heir = await worker();
    await heir.provider.reapOrphans();
    await nothingLeft();
  });

  it.runIf(isLocal)('can be had ready, and is given back by a worker that ends', async () => {
    const idle = await prewarmed('idle');
    // The plain way has disks ready, the compiled part whole sandboxes.
    const name = provider === 'local' ? 'ready' : '_';
    expect(folders().map(each => each.split('.')[0])).toEqual([name, name]);
    expect(mountsIn(home.folder)).toHaveLength(2);
    idle.send('end');
    await once(idle, 'exit');
    await nothingLeft();
  });

  it('is made by two workers at once where there was none before', async () => {
    const both = await Promise.all([worker(), worker()]);
    const made = await Promise.all(both.flatMap((each, i) => [create(each, `a-${i}`), create(each, `b-${i}`)]));
    expect((await Promise.all(made.map(sandbox => sh(sandbox, 'echo good > f && cat f')))).map(({ text }) => text)).toEqual(
      made.map(() => 'good\n'),
    );
    await Promise.all(made.map(sandbox => sandbox.kill()));
    expect(readdirSync(join(home.folder, 'disks')).filter(name => !name.endsWith('.ext4'))).toEqual([]);
    await nothingLeft();
  });

  async function prewarmed(how = 'busy'): Promise<ChildProcess> {
    const file = join(import.meta.dirname, '../fixtures/workspace-worker.ts');
    const child = fork(file, [home.folder, how, provider], { execArgv: ['--import', 'tsx'] });
    children.push(child);
    await once(child, 'message');
    return child;
  }

  it('is a folder that is watched where no disk can be mounted', async () => {
    const hidden = 'mount --bind /dev/null /dev/loop-control && for at in /dev/loop[0-9]*; do mount --bind /dev/null "$at"; done';
    const wrap = ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', `${hidden}; exec "$@"`, 'sh'];
    const host = await worker('root', wrap);
    expect(await host.provider.probe()).toMatchObject({
      ok: true,
      worth: { limits: { workspace: 'advisory' } },
      facts: { workspace: expect.stringMatching(/^a folder: no disk can be mounted here: /) },
    });
    const sandbox = await create(host, 'plain');
    expect((await sh(sandbox, 'echo here > f && cat f')).text).toBe('here\n');
    expect((await sandbox.stats()).workspaceBytes).toBeUndefined();
    await sandbox.kill();
    await nothingLeft();
  });
});

it.skipIf(process.geteuid?.() !== 0)(
  'cgroups that can only be read make limits advisory, and sandboxes all the same',
  async () => {
    provider = 'local';
    home = sandboxFolder('root');
    const find = String.raw`awk '$3 ~ /^cgroup2?$/ { print $2 }' /proc/self/mounts`;
    const script = `for at in $(${find}); do mount -o remount,bind,ro "$at"; done; exec "$@"`;
    const host = await worker('root', ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', script, 'sh']);
    expect(await host.provider.probe()).toMatchObject({
      ok: true,
      worth: { limits: { memory: 'advisory', processes: 'enforced', cpu: 'none', workspace: 'enforced' } },
      facts: { cgroups: 'none' },
    });
    const sandbox = await create(host, 'plain');
    expect((await sh(sandbox, 'echo good')).text).toBe('good\n');
    await sandbox.kill();
    await nothingLeft();
  },
);

describe('an ordinary user', () => {
  beforeEach(() => {
    provider = 'local';
    home = sandboxFolder('an ordinary user');
  });

  it('is given limits larger than any machine', async () => {
    const host = await worker('an ordinary user');
    const vast = 2 ** 53 - 1;
    const all = { memoryBytes: vast, processCount: vast, cpuCount: vast, tmpBytes: vast, workspaceBytes: vast };
    const sandbox = await host.provider.create({ id: 'vast', limits: all, files: [], folders: [] });
    expect(await sh(sandbox, 'echo good')).toMatchObject({ text: 'good\n', exit: { reason: 'exited', code: 0 } });
    await sandbox.kill();
  });

  it('has a workspace that is watched: what makes it larger than its limit is ended, and it can be looked at and cleaned', async () => {
    const host = await worker('an ordinary user');
    expect(await host.provider.probe()).toMatchObject({ ok: true, worth: { limits: { workspace: 'advisory' } } });
    const sandbox = await create(host, 'large');
    const grow = await sh(sandbox, 'while :; do head -c 1000000 /dev/zero >> large; sleep 0.05; done');
    expect(grow.exit).toEqual({
      reason: 'workspace_full',
      workspaceBytesMax: limits.workspaceBytes,
      durationMs: expect.any(Number),
    });
    const look = await sh(sandbox, 'sleep 6; ls; rm large; echo clean');
    expect(look).toEqual({ text: 'large\nclean\n', exit: { reason: 'exited', code: 0, durationMs: expect.any(Number) } });
    await sandbox.kill();
    expect(folders()).toEqual([]);
  });

  it('has no more files in it than a disk of its size would', async () => {
    const host = await worker('an ordinary user');
    const sandbox = await create(host, 'many');
    const { exit } = await sh(sandbox, 'i=0; while :; do i=$((i + 1)); : > f$i; [ $i -lt 6000 ] || sleep 1; done');
    expect(exit).toMatchObject({ reason: 'workspace_full' });
    expect((await sh(sandbox, 'find . -name "f*" -delete; echo clean')).text).toBe('clean\n');
    await sandbox.kill();
  });
});
