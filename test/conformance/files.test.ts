import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isFault } from '../../src/kernel/fault.ts';
import type { FaultCode } from '../../src/kernel/fault.ts';
import type { Sandbox } from '../../src/worker/sandbox.ts';
import { sandboxFolder, startSandboxWorker, subjects } from '../harness/sandbox-worker.ts';
import type { SandboxWorker } from '../harness/sandbox-worker.ts';

const MiB = 2 ** 20;
const limits = { memoryBytes: 256 * MiB, processCount: 32, cpuCount: 1, tmpBytes: MiB, workspaceBytes: 64 * MiB };
const small = { bytesMax: 1_000 };

/** One name has 255 bytes at most; a path of 4,096 is as long as the system takes. */
const longest = Array.from({ length: 16 }, () => 'x'.repeat(250)).join('/');

describe.each(subjects)('files of $provider as $who', ({ provider, who, possible }) => {
  const home = sandboxFolder(who);
  let worker: SandboxWorker;
  let sandbox: Sandbox;
  const check = it.skipIf(!possible);

  beforeAll(async () => {
    if (!possible) return;
    worker = await startSandboxWorker({ provider, who, folder: home.folder });
    sandbox = await worker.provider.create({ id: 'files', limits, files: [], folders: [] });
    await sh(`set -e
      echo plain > plain && mkdir folder && echo deep > folder/deep && mkfifo pipe && ln -s plain link && ln -s folder linked
      ln -s /etc/passwd outside && ln -s / root && ln -s nowhere dangling && ln -s loop loop
      (truncate -s 1T sparse || truncate -s 10G sparse) && touch -- "$(printf 'two\\nlines')" "$(printf 'esc\\033[31m')" "$(printf 'bad\\377name')" ' ' '-n' "it's"
      echo x > secret && chmod 0 secret && mkdir many && cd many && seq 1 300 | xargs touch`);
  });
  afterAll(async () => {
    await sandbox?.kill();
    await worker?.kill();
    home.remove();
  });

  async function sh(script: string): Promise<string> {
    let printed = '';
    const onOutput = (_: string, chunk: Buffer): void => void (printed += chunk.toString());
    const exit = await sandbox.exec({ argv: ['sh', '-c', script], timeoutMs: 30_000, outputBytesMax: MiB, onOutput });
    expect({ exit, printed }).toMatchObject({ exit: { reason: 'exited', code: 0 } });
    return printed;
  }

  const refused = async (act: Promise<unknown>, code: FaultCode) =>
    await expect(act).rejects.toSatisfy(error => isFault(error, code));

  check('are read as they are', async () => {
    expect((await sandbox.files.read('plain', small)).toString()).toBe('plain\n');
    expect((await sandbox.files.read('folder/deep', small)).toString()).toBe('deep\n');
    expect((await sandbox.files.read('plain', { bytesMax: 6 })).length).toBe(6);
  });

  check('are written whole, with the folders above them, and as bytes', async () => {
    const bytes = Buffer.from([0, 255, 10, 39, 34, 92, 36]);
    await sandbox.files.write("new/deep/it's", bytes);
    expect(await sandbox.files.read("new/deep/it's", small)).toEqual(bytes);
    await sandbox.files.write("new/deep/it's", 'again');
    expect((await sandbox.files.read("new/deep/it's", small)).toString()).toBe('again');
    expect((await sandbox.files.list('new/deep')).map(({ name }) => name)).toEqual(["it's"]);
  });

  check('are written in the place of a link, and not through it', async () => {
    await sh('ln -s plain away');
    await sandbox.files.write('away', 'mine');
    expect((await sandbox.files.read('plain', small)).toString()).toBe('plain\n');
    expect((await sandbox.files.read('away', small)).toString()).toBe('mine');
  });

  it.skipIf(!possible).each(['outside', 'link', 'dangling', 'loop', 'pipe', 'folder', '.', 'linked', 'secret'])(
    'are no %s',
    async path => {
      await refused(sandbox.files.read(path, small), 'invalid_request');
    },
  );

  it.skipIf(!possible).each(['', '/etc/passwd', '../x', 'folder/../../x', 'a\0b', `${longest}/${'y'.repeat(100)}`])(
    'have no path like %j',
    async path => {
      await refused(sandbox.files.read(path, small), 'invalid_request');
      await refused(sandbox.files.write(path, 'x'), 'invalid_request');
      await refused(sandbox.files.list(path), 'invalid_request');
    },
  );

  check('that are not there are told from those that are no files', async () => {
    await refused(sandbox.files.read('nothing', small), 'file_not_found');
    await refused(sandbox.files.read('nowhere/nothing', small), 'file_not_found');
    await refused(sandbox.files.list('nothing'), 'file_not_found');
  });

  check('that are too large are refused, also where they are mostly holes', async () => {
    await refused(sandbox.files.read('plain', { bytesMax: 5 }), 'too_large');
    await refused(sandbox.files.read('sparse', { bytesMax: MiB }), 'too_large');
  });

  check('are listed with their kinds, whatever their names are', async () => {
    const found = Object.fromEntries((await sandbox.files.list('.')).map(({ name, type }) => [name, type]));
    expect(found).toMatchObject({ plain: 'file', folder: 'folder', pipe: 'other', link: 'link', root: 'link', sparse: 'file' });
    expect(Object.keys(found)).toEqual(expect.arrayContaining(['two\nlines', 'esc\u001b[31m', ' ', '-n', "it's"]));
    // A name that is no text cannot be said, and so not asked for.
    expect(Object.keys(found).filter(name => name.startsWith('bad'))).toEqual([]);
    const entries = await sandbox.files.list('.');
    expect(entries.find(({ name }) => name === 'sparse')?.bytes).toBeGreaterThanOrEqual(10 * 2 ** 30);
    expect(await sandbox.files.list('many')).toHaveLength(300);
  });

  check('have paths as long as the system takes', async () => {
    await sandbox.files.write(`${'z'.repeat(250)}/${'z'.repeat(250)}/file`, 'far');
    expect((await sandbox.files.read(`${'z'.repeat(250)}/${'z'.repeat(250)}/file`, small)).toString()).toBe('far');
  });

  check('come out as an archive that has holes and links as such, or not at all', async () => {
    const other = await worker.provider.create({ id: 'export', limits, files: [], folders: [] });
    try {
      const command = ['sh', '-c', 'echo plain > plain; truncate -s 1G sparse; ln -s /etc/passwd outside; mkfifo pipe'] as const;
      await other.exec({ argv: command, timeoutMs: 30_000, outputBytesMax: MiB, onOutput: () => {} });
      const chunks: Buffer[] = [];
      await other.files.export({ bytesMax: MiB, onChunk: chunk => void chunks.push(chunk) });
      const archive = Buffer.concat(chunks);
      expect(archive.subarray(257, 262).toString()).toBe('ustar');
      expect(archive.includes('root:')).toBe(false);
      for (const name of ['./plain', './sparse', './outside', './pipe']) expect(archive.includes(name)).toBe(true);
      await refused(other.files.export({ bytesMax: 1_000, onChunk: () => {} }), 'too_large');
    } finally {
      await other.kill();
    }
  });
});
