import { execFileSync } from 'node:child_process';
import { lstatSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { allPids, processInfo } from '../../src/kernel/processes/info.ts';
import type { Sandbox } from '../../src/worker/sandbox.ts';
import { until } from '../harness/process.ts';
import { sandboxFolder, startSandboxWorker, subjects } from '../harness/sandbox-worker.ts';
import type { SandboxWorker } from '../harness/sandbox-worker.ts';

const limits = { memoryBytes: 256 * 2 ** 20, processCount: 16, cpuCount: 1, tmpBytes: 2 ** 20, workspaceBytes: 64 * 2 ** 20 };
const quiet = { timeoutMs: 60_000, outputBytesMax: 65_536, onOutput: () => {} };

describe.each(subjects)('what a dead worker of $provider has left, as $who', ({ provider, who, possible, isLean }) => {
  const check = it.runIf(possible);
  const thorough = it.runIf(possible && !isLean);
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

  /** A sandbox with a file in its workspace and a command that sleeps, whose worker is killed. */
  async function orphan(id: string): Promise<{ name: string; uid: number; seconds: string }> {
    const doomed = await worker();
    const sandbox = await doomed.provider.create({ id, limits, files: [], folders: [] });
    await sandbox.exec({ ...quiet, argv: ['sh', '-c', 'echo work > left'] });
    const seconds = `31.${process.pid}${Math.floor(performance.now())}`;
    await sleeping(sandbox, seconds);
    const [name = ''] = folders();
    const { uid } = lstatSync(join(home.folder, name, 'slot/work'));
    await doomed.kill();
    return { name, uid, seconds };
  }

  function sleeping(sandbox: Sandbox, seconds: string): Promise<void> {
    return new Promise(onStart => {
      sandbox.exec({ ...quiet, argv: ['sleep', seconds], onStart }).catch(() => {});
    });
  }

  const folders = () => readdirSync(home.folder).filter(name => name.includes('~'));
  const processesWith = (word: string) => allPids().filter(pid => processInfo(pid)?.argv.includes(word));

  check('is looked at with nothing of it running, and then removed with all that belonged to it', async () => {
    const { uid, seconds } = await orphan('lost');
    const heir = await worker();
    const seen = await heir.reap(['sh', '-c', 'cat left; ls /skep']);
    expect(seen).toEqual({ count: 1, orphans: [{ id: 'lost', text: 'work\n' }] });
    expect(folders()).toEqual([]);
    expect(processesWith(seconds)).toEqual([]);
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(home.folder);
    if (who !== 'root') return;
    expect(readdirSync('/run/skep/sandbox-uids')).not.toContain(String(uid));
    expect(cgroupsOf(uid)).toEqual([]);
  });

  check('stays as it is where it could not be saved, for the next worker that looks', async () => {
    const { name, uid } = await orphan('kept');
    const first = await worker();
    const failing = ['sh', '-c', 'echo more >> left; exit 1'] as const;
    expect(await first.reap(failing)).toEqual({ count: 0, orphans: [{ id: 'kept', text: '' }] });
    expect(folders()).toEqual([name]);
    // The id whose files are there is no other sandbox's meanwhile.
    const other = await first.provider.create({ id: 'other', limits, files: [], folders: [] });
    const otherName = folders().find(each => each !== name) ?? '';
    if (who === 'root') expect(lstatSync(join(home.folder, otherName, 'slot/work')).uid).not.toBe(uid);
    await other.kill();
    const second = await worker();
    expect(await second.reap(['cat', 'left'])).toEqual({ count: 1, orphans: [{ id: 'kept', text: 'work\nmore\n' }] });
    expect(folders()).toEqual([]);
  });

  // Root's workspaces are disks; those of others are folders, of which nothing is shut down.
  it.runIf(possible && who === 'root')(
    'is looked at as it was stored last where its worker died while it removed the disk',
    async () => {
      const { name } = await orphan('ending');
      const disk = join(home.folder, name, 'slot/disk');
      // What the compiled part does before it unmounts: EXT4_IOC_SHUTDOWN, without the log.
      const shutDown =
        'import fcntl, os, struct, sys; os.sync(); fcntl.ioctl(os.open(sys.argv[1], 0), 0x8004587D, struct.pack("I", 2))';
      execFileSync('python3', ['-c', shutDown, disk]);
      const heir = await worker();
      expect(await heir.reap(['cat', 'left'])).toEqual({ count: 1, orphans: [{ id: 'ending', text: 'work\n' }] });
      expect(folders()).toEqual([]);
      expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(home.folder);
    },
  );

  thorough('is one of two workers to settle', async () => {
    await orphan('once');
    const [one, two] = [await worker(), await worker()];
    const both = await Promise.all([one, two].map(each => each.reap(['sh', '-c', 'sleep 0.2; cat left'])));
    expect(both.reduce((sum, { count }) => sum + count, 0)).toBe(1);
    expect(both.flatMap(({ orphans }) => orphans)).toEqual([{ id: 'once', text: 'work\n' }]);
  });

  thorough('keeps its name when the worker that settles it dies too', async () => {
    await orphan('twice');
    const unlucky = await worker();
    const seconds = `32.${process.pid}${Math.floor(performance.now())}`;
    unlucky.reap(['sleep', seconds]).catch(() => {});
    await until('the look has begun', () => (processesWith(seconds).length > 0 ? true : undefined));
    await unlucky.kill();
    const heir = await worker();
    expect(await heir.reap(['cat', 'left'])).toEqual({ count: 1, orphans: [{ id: 'twice', text: 'work\n' }] });
    expect(folders()).toEqual([]);
  });

  check('is removed without a look where nothing was ever run in it', async () => {
    const { name } = await orphan('whole');
    mkdirSync(join(home.folder, name.replace('whole', 'half')));
    const heir = await worker();
    expect(await heir.reap(['true'])).toEqual({ count: 2, orphans: [{ id: 'whole', text: '' }] });
    expect(folders()).toEqual([]);
  });
});

function cgroupsOf(uid: number): string[] {
  const mounts = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map(line => line.split(' '))
    .filter(([, , type]) => type === 'cgroup' || type === 'cgroup2')
    .map(([, place = '']) => place);
  return mounts.filter(place => {
    try {
      return readdirSync(join(place, 'skep')).includes(String(uid));
    } catch {
      return false;
    }
  });
}
