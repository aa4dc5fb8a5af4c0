import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { KeptSnapshot, Sandbox, Snapshot } from '../../src/worker/sandbox.ts';
import { mountsIn, removeTree } from '../harness/disks.ts';
import { sandboxFolder, startSandboxWorker, subjects } from '../harness/sandbox-worker.ts';
import type { SandboxWorker } from '../harness/sandbox-worker.ts';

const MiB = 2 ** 20;
const limits = { memoryBytes: 256 * MiB, processCount: 16, cpuCount: 1, tmpBytes: MiB, workspaceBytes: 32 * MiB };

/** What a snapshot holds, and what is to be found of it in a sandbox that begins as it. */
const fill = 'mkdir deep && echo one > deep/file && head -c 300000 /dev/urandom > random && sha256sum random deep/file > sums';
const look = 'sha256sum --check --quiet sums && cat deep/file && echo two > deep/file';

const chosen = subjects.filter(({ isLean }) => !isLean);

/** What outlives a worker, by real processes that end and are killed. */
describe.each(chosen)('a snapshot that is kept: $provider, $who', ({ provider, who, possible }) => {
  const check = it.runIf(possible);
  const workers: SandboxWorker[] = [];
  let home: ReturnType<typeof sandboxFolder>;
  beforeEach(() => {
    home = sandboxFolder(who);
  });
  afterEach(async () => {
    await Promise.all(workers.splice(0).map(worker => worker.kill()));
    home.remove();
  });

  async function worker(folder = home.folder): Promise<SandboxWorker> {
    const started = await startSandboxWorker({ provider, who, folder });
    workers.push(started);
    return started;
  }

  async function sh(sandbox: Sandbox, script: string): Promise<string> {
    let text = '';
    const onOutput = (_stream: string, chunk: Buffer): void => void (text += chunk.toString());
    await sandbox.exec({ argv: ['sh', '-c', script], timeoutMs: 60_000, outputBytesMax: 65_536, onOutput });
    return text;
  }

  async function begun({ provider: by }: SandboxWorker, from: readonly Snapshot[] = []): Promise<Sandbox> {
    return by.create({ id: `one-${workers.length}-${from.length}`, limits, files: [], folders: [], from });
  }

  async function taken(by: SandboxWorker): Promise<Snapshot> {
    const sandbox = await begun(by);
    await sh(sandbox, fill);
    const snapshot = await sandbox.snapshot?.();
    await sandbox.kill();
    if (snapshot === undefined) throw new Error('these sandboxes have no snapshots');
    return snapshot;
  }

  const foundBy = async ({ provider: by }: SandboxWorker): Promise<readonly KeptSnapshot[]> => (await by.kept?.()) ?? [];
  const textsOf = (found: readonly KeptSnapshot[]): string[] => found.map(({ text }) => text);
  const names = (): string[] => readdirSync(home.folder).filter(name => /^(kept|snapshot)[.]/.test(name));
  /** The one file of a snapshot that holds all that it is. */
  function fileOf(name: string): string {
    const disk = join(home.folder, name, 'disk.img');
    return existsSync(disk) ? disk : join(home.folder, name, 'shown', 'work.tar');
  }

  check(
    'is found by the next worker, whole, whether the one before ended or was killed, and begins sandboxes as before',
    async () => {
      const first = await worker();
      const [left, lost, not] = [await taken(first), await taken(first), await taken(first)];
      await left.keep?.('left');
      await lost.keep?.('lost');
      await left.leave?.();
      // What was never kept goes with its worker.
      await not.leave?.();
      await first.kill();

      const second = await worker();
      const found = await foundBy(second);
      expect(textsOf(found).toSorted()).toEqual(['left', 'lost']);
      expect(await second.provider.reapOrphans()).toBe(0);
      for (const { snapshot } of found) {
        expect(await snapshot.isWhole?.()).toBe(true);
        for (const attempt of ['once', 'again']) {
          const sandbox = await begun(second, [snapshot]);
          expect([attempt, await sh(sandbox, look)]).toEqual([attempt, 'one\n']);
          await sandbox.kill();
        }
      }
      // Nothing of that has changed what the third finds.
      await found[0]?.snapshot.leave?.();
      await second.kill();
      const third = await worker();
      const again = await foundBy(third);
      expect(textsOf(again)).toHaveLength(2);
      for (const { snapshot } of again) expect(await snapshot.isWhole?.()).toBe(true);
      const sandbox = await begun(third, [again[1]?.snapshot as Snapshot]);
      expect(await sh(sandbox, look)).toBe('one\n');
      await sandbox.kill();
      for (const { snapshot } of again) await snapshot.remove();
      expect([names(), mountsIn(home.folder)]).toEqual([[], []]);
    },
  );

  check('is found by one of two workers, and by none while the one that has it lives', async () => {
    const first = await worker();
    await (await taken(first)).keep?.('its');
    const second = await worker();
    expect([await foundBy(second), await second.provider.reapOrphans()]).toEqual([[], 0]);
    await first.kill();
    const both = await Promise.all([foundBy(second), worker().then(foundBy)]);
    expect(both.flatMap(textsOf)).toEqual(['its']);
  });

  check('is not used, and not there any more, where a byte of it has changed, is missing, or its note is none', async () => {
    const first = await worker();
    const texts = ['flipped', 'cut', 'gone', 'spoilt', 'other', 'sound'];
    for (const text of texts) {
      const snapshot = await taken(first);
      await snapshot.keep?.(text);
      await snapshot.leave?.();
    }
    await first.kill();
    const textOf = (name: string): string =>
      texts.find(text =>
        execFileSync('cat', [join(home.folder, name, 'kept.json')], { encoding: 'utf8' }).includes(`"${text}"`),
      ) ?? '';
    const byText = new Map(names().map(name => [textOf(name), name]));
    const file = (text: string): string => fileOf(byText.get(text) ?? '');
    const note = (text: string): string => join(home.folder, byText.get(text) ?? '', 'kept.json');
    await flip(file('flipped'));
    truncateSync(file('cut'), statSync(file('cut')).size - 4_096);
    rmSync(file('gone'));
    writeFileSync(note('spoilt'), '{"format":1,"kin');
    writeFileSync(note('other'), '{"format":2}');

    const second = await worker();
    const found = await foundBy(second);
    const whole = await Promise.all(found.map(async ({ text, snapshot }) => [text, await snapshot.isWhole?.()]));
    expect(whole.toSorted(([a], [b]) => String(a).localeCompare(String(b)))).toEqual([
      ['cut', false],
      ['flipped', false],
      ['gone', false],
      ['sound', true],
    ]);
    for (const { snapshot } of found) await snapshot.remove();
    expect([names(), mountsIn(home.folder)]).toEqual([[], []]);
  });

  check(
    'of which a worker was killed before it was kept, or in the middle of that, is removed with what else it has left',
    async () => {
      const first = await worker();
      await taken(first);
      const half = await taken(first);
      const [before = '', other = ''] = names();
      void half.keep?.('half').catch(() => {});
      await first.kill();
      // It may just have done it: then it is whole. A draft of a note is none.
      for (const name of [before, other].filter(each => !existsSync(join(home.folder, each, 'kept.json'))))
        writeFileSync(join(home.folder, name, 'kept.json.new'), '{"format":1');
      const second = await worker();
      const found = await foundBy(second);
      for (const { snapshot } of found) expect(await snapshot.isWhole?.()).toBe(true);
      expect(await second.provider.reapOrphans()).toBe(2 - found.length);
      for (const { snapshot } of found) await snapshot.remove();
      expect([names(), mountsIn(home.folder)]).toEqual([[], []]);
    },
  );

  it.runIf(possible && who === 'root')("is gone with its worker where the worker's disk had no room for its note", async () => {
    const top = mkdtempSync(join(tmpdir(), 'skep-kept-'));
    const small = join(top, 'home');
    mkdirSync(small);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=48m,nr_inodes=500', 'tmpfs', small]);
    try {
      const first = await worker(join(small, 'sandboxes'));
      const snapshot = await taken(first);
      const inodes = Number(execFileSync('stat', ['--file-system', '--format=%d', small], { encoding: 'utf8' }));
      for (let i = 0; i < inodes; i += 1) writeFileSync(join(small, `full-${i}`), '');
      await expect(snapshot.keep?.('full')).rejects.toThrow('ENOSPC');
      await snapshot.leave?.();
      expect(readdirSync(join(small, 'sandboxes')).filter(name => /^(kept|snapshot)[.]/.test(name))).toEqual([]);
      await first.kill();
    } finally {
      removeTree(top);
    }
  });
});

/** Some byte in the middle of what is written there. */
async function flip(path: string): Promise<void> {
  const file = await open(path, 'r+');
  try {
    const { buffer } = await file.read({ position: 2_048, length: 1, buffer: Buffer.alloc(1) });
    await file.write(Buffer.from([buffer[0] === 0x5a ? 0xa5 : 0x5a]), 0, 1, 2_048);
  } finally {
    await file.close();
  }
}
