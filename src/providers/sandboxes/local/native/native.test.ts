import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { removeTree } from '../../../../../test/harness/disks.ts';
import { createGate } from '../../../../../test/harness/gate.ts';
import { systemClock } from '../../../../kernel/clock.ts';
import { isFault } from '../../../../kernel/fault.ts';
import type { Log } from '../../../../kernel/log.ts';
import { silentLog } from '../../../../kernel/log.ts';
import { processInfo } from '../../../../kernel/processes/info.ts';
import type { Sandbox, SandboxCommand, SandboxProvider } from '../../../../worker/sandbox.ts';
import { createLocalSandboxes } from '../index.ts';
import { seccompProgram } from '../seccomp/program.ts';
import { bytes, createReader, frame, heard, list, number, readReport, sent, text } from './frames.ts';
import type { Heard } from './frames.ts';
import { findNative } from './index.ts';
import { configParts } from './plan.ts';

/** Of a descriptor that may have been closed since it was listed. */
function target(link: string): string {
  try {
    return readlinkSync(link);
  } catch {
    return '';
  }
}

const found = await findNative();
if ('why' in found) process.stderr.write(`SKIPPED: the launcher of sandboxes: ${found.why}\n`);
const program = 'path' in found ? found.path : '';
const limits = { memoryBytes: 2 ** 28, processCount: 32, cpuCount: 1, tmpBytes: 2 ** 20, workspaceBytes: 16 * 2 ** 20 };

describe.skipIf(program === '')('the launcher of sandboxes', () => {
  /** What it answers to these frames; it is ended when there are so many. */
  async function answers(frames: readonly Buffer[], count: number): Promise<{ heard: Heard[]; code: number | null }> {
    const child = spawn(program, ['serve', String(process.pid), '-'.repeat(300)], { stdio: ['pipe', 'pipe', 'ignore'], env: {} });
    const seen: Heard[] = [];
    const read = createReader(each => {
      seen.push(each);
      if (seen.length >= count) child.stdin.end();
    });
    child.stdin.on('error', () => {});
    child.stdout.on('data', read);
    for (const each of frames) child.stdin.write(each);
    await once(child, 'exit');
    return { heard: seen, code: child.exitCode };
  }

  const filter = seccompProgram(process.arch) ?? Buffer.alloc(0);
  const config = frame(sent.config, 0, configParts(filter));
  const streams = ['', '/dev/null', '/dev/null', '/work'].map(text);

  it('ends with its worker, and before it has a filter it starts nothing', async () => {
    expect(await answers([config], 1)).toMatchObject({ code: 0, heard: [{ kind: heard.ready }] });
    const start = frame(sent.start, 5, [number(1), ...streams, list([text('true')]), list([])]);
    expect((await answers([start, config], 1)).heard.map(({ kind }) => kind)).toEqual([heard.ready]);
  });

  it.each([
    ['no filter', [bytes(Buffer.alloc(0)), list([]), list([])]],
    ['half an instruction', [bytes(Buffer.alloc(12)), list([]), list([])]],
    ['more entries than there are', [bytes(filter), number(100), list([])]],
    ['more than there should be', [...configParts(filter), number(0)]],
  ])('takes no beginning with %s', async (_, parts) => {
    const { heard: first } = await answers([frame(sent.config, 0, parts), config], 1);
    expect(first.map(({ kind }) => kind)).toEqual([heard.ready]);
  });

  it('starts nothing as root, and nothing in a sandbox that it was not told of', async () => {
    const sizes = Buffer.alloc(32, 1);
    const place = ['marker', '/tmp'].map(text);
    const plan = (uid: number, ...rest: Buffer[]) => [number(uid), number(0), sizes, ...place, ...rest];
    const job = (id: number, sandbox: number) =>
      frame(sent.start, id, [number(sandbox), ...streams, list([text('true')]), list([])]);
    const wrong = [
      frame(sent.describe, 1, plan(0, list([]), text(''), list([]))),
      frame(sent.describe, 2, plan(1_900_000_000, number(2 ** 31))),
      frame(sent.describe, 3, plan(1_900_000_000, list([]), text(''), list([]), number(0))),
    ];
    const { heard: all } = await answers([config, ...wrong, job(11, 1), job(12, 2), job(13, 3), job(14, 4)], 9);
    expect(all.filter(({ kind }) => kind === heard.refused).map(({ id, body }) => [id, readReport(body).stage])).toEqual([
      [11, 2],
      [12, 2],
      [13, 2],
      [14, 2],
    ]);
  });

  it('starts nothing in a sandbox of which it was told something that it does not take', async () => {
    const good = [
      number(1_900_000_000),
      number(0),
      Buffer.alloc(32, 1),
      ...['marker', '/tmp'].map(text),
      list([]),
      text(''),
      list([]),
    ];
    const frames = [frame(sent.describe, 1, good), frame(sent.describe, 1, [...good, number(0)]), frame(sent.spare, 1)];
    const start = frame(sent.start, 11, [number(1), ...streams, list([text('true')]), list([])]);
    const { heard: all } = await answers([config, ...frames, start], 4);
    const said = all.map(({ kind, id, body }) => [kind, id, kind === heard.spared ? body.readUInt32LE(0) : 0]);
    expect(said).toContainEqual([heard.spared, 1, 0]);
    expect(said).toContainEqual([heard.refused, 11, 0]);
  });

  it('ends at a length that none has', async () => {
    for (const length of [0, 7, 2 ** 24]) expect((await answers([config, number(length), Buffer.alloc(8)], 9)).code).toBe(1);
  });
});

describe.skipIf(program === '')('sandboxes that the launcher starts', () => {
  let folder: string;
  let provider: SandboxProvider;
  let warnings: string[];
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'skep-native-'));
    warnings = [];
    const log: Log = { ...silentLog, warn: (_, words) => void warnings.push(words) };
    provider = createLocalSandboxes({ folder, clock: systemClock, log });
  });
  afterAll(() => removeTree(folder));

  const create = (id: string): Promise<Sandbox> => provider.create({ id, limits, files: [], folders: [] });
  const ours = (): string[] => readdirSync(folder).filter(name => name.includes('~'));

  function sh(sandbox: Sandbox, script: string, more: Partial<SandboxCommand> = {}) {
    let output = '';
    const onOutput: SandboxCommand['onOutput'] = (_, chunk) => void (output += chunk.toString());
    const command = { argv: ['sh', '-c', script] as const, timeoutMs: 20_000, outputBytesMax: 2 ** 20, onOutput, ...more };
    return sandbox.exec(command).then(exit => ({ exit, output }));
  }

  const launchers = (): number[] =>
    readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8')
      .trim()
      .split(' ')
      .map(Number)
      .filter(pid => processInfo(pid)?.argv[1] === 'serve');

  it('end with it, and the next command has another', async () => {
    const sandbox = await create('lost');
    const [launcher = 0, ...others] = launchers();
    expect([launcher > 0, others]).toEqual([true, []]);
    const started = new Promise<void>(resolve => {
      void sh(sandbox, 'echo in; exec sleep 1000', { onOutput: () => resolve() }).then(({ exit }) => ended.push(exit.reason));
    });
    const ended: string[] = [];
    await started;
    process.kill(launcher, 'SIGKILL');
    await expect.poll(() => ended).toEqual(['signaled']);
    expect(await sh(sandbox, 'echo again')).toMatchObject({ output: 'again\n', exit: { code: 0 } });
    expect(warnings).toEqual([expect.stringContaining('the launcher of sandboxes has ended')]);
    expect(launchers()).not.toContain(launcher);
    await sandbox.kill();
    expect(ours()).toEqual([]);
  });

  it('leave no descriptor open here, with a command, without one, or where nobody asks for them', async () => {
    const pipes = () => readdirSync('/proc/self/fd').filter(fd => /\/std(out|err)\d/.test(target(`/proc/self/fd/${fd}`))).length;
    await provider.prewarm(limits, 3);
    expect(pipes()).toBe(12);
    const used = await create('used');
    const unused = await create('unused');
    await provider.prewarm(limits, 0);
    for (const output of ['1\n', '2\n']) expect(await sh(used, `echo ${output.trim()}`)).toMatchObject({ output });
    await expect(create('used')).rejects.toThrow('exists already');
    await Promise.all([used.kill(), unused.kill()]);
    await expect.poll(pipes).toBe(0);
    // Its name is free again when nothing is left of it.
    await (await create('used')).kill();
    expect(ours()).toEqual([]);
  });

  it('wait before they are asked for, each for one alone, and are gone in the end', async () => {
    await provider.prewarm(limits, 2);
    const waiting = ours();
    expect(waiting).toEqual([expect.stringMatching(/^_\./), expect.stringMatching(/^_\./)]);
    const one = await create('one');
    await sh(one, 'echo mine > file; echo more > /tmp/file');
    const two = await create('two');
    expect((await sh(two, 'ls -A /work /tmp /skep; id -u')).output).toBe('/skep:\n\n/tmp:\n\n/work:\n1000\n');
    await one.kill();
    const three = await create('three');
    expect((await sh(three, 'ls -A /work')).output).toBe('');
    await Promise.all([two.kill(), three.kill()]);
    await provider.prewarm(limits, 0);
    expect(ours()).toEqual([]);
  });

  it('show what belongs to the one who asks, also where they waited', async () => {
    await provider.prewarm(limits, 1);
    const files = [{ path: '/skep/a/b', content: 'of the platform\n' }];
    const sandbox = await provider.create({ id: 'shown', limits, files, folders: [{ from: '/usr/share', to: '/skep/share' }] });
    const script = 'cat /skep/a/b; ls -d /skep/share/doc; touch /skep/share/x /skep/a/x 2>&1 | grep -c Read-only; ls -d /kept';
    for (let time = 0; time < 2; time += 1)
      expect((await sh(sandbox, script)).output).toMatch(/^of the platform\n\/skep\/share\/doc\n2\nls: cannot access '\/kept'/);
    await sandbox.kill();
    const refused = provider.create({ id: 'bad', limits, files: [], folders: [{ from: '/nowhere-at-all', to: '/skep/x' }] });
    await expect(refused).rejects.toSatisfy(error => isFault(error, 'invalid_request'));
    await provider.prewarm(limits, 0);
    expect(ours()).toEqual([]);
  });

  describe('what two in a row have shown is there before the third asks', () => {
    let shown: string;
    beforeEach(async () => {
      shown = mkdtempSync(join(tmpdir(), 'skep-shown-'));
      chmodSync(shown, 0o755);
      writeFileSync(join(shown, 'which'), 'first');
      for (const id of ['a', 'b']) await (await showing(id, shown)).kill();
      await provider.prewarm(limits, 1);
    });
    afterEach(async () => {
      await provider.prewarm(limits, 0);
      expect(ours()).toEqual([]);
      rmSync(shown, { recursive: true, force: true });
    });

    const showing = (id: string, from: string, to = '/skep/shown') =>
      provider.create({ id, limits, files: [{ path: '/skep/file', content: id }], folders: [{ from, to }] });
    const mountsOf = (pid: number) => readFileSync(`/proc/${pid}/mountinfo`, 'utf8').split('\n');
    const waits = () => inits().filter(pid => mountsOf(pid).some(line => line.includes(' /skep/shown ')));
    /** Processes 1 of what the launcher runs. */
    function inits(): number[] {
      const [launcher = 0] = launchers();
      const children = readFileSync(`/proc/${launcher}/task/${launcher}/children`, 'utf8').trim();
      return children === '' ? [] : children.split(' ').map(Number);
    }

    it("and the same process is the third's", async () => {
      const waiting = waits();
      expect(waiting).toHaveLength(1);
      const script = 'cat /skep/shown/which /skep/file; touch /skep/shown/x';
      const { seen } = await seeing(await showing('c', shown), script, () => expect(inits()).toContain(waiting[0]));
      expect(seen).toEqual(seen.map(() => expect.stringMatching(/^firstc.*Read-only/)));
    });

    /** What two commands print, the first in a process that may have waited; that one stays until somebody has looked. */
    async function seeing(sandbox: Sandbox, script: string, look: () => unknown = () => {}): Promise<{ seen: string[] }> {
      const begun = createGate();
      const first = sh(sandbox, `${script}; until [ -e looked ]; do sleep 0.01; done`, { onStart: begun.open });
      try {
        await Promise.race([begun.passed, first]);
        await look();
        await sandbox.files.write('looked', '');
        return { seen: [(await first).output, (await sh(sandbox, script)).output] };
      } finally {
        await sandbox.kill();
      }
    }

    /** What was killed is there for a moment longer. */
    const isGone = (pid: number | undefined) => () => expect.poll(inits).not.toContain(pid);

    it('but not to one that shows something else', async () => {
      const waiting = waits();
      expect(waiting).toHaveLength(1);
      const script = 'ls /skep /skep/*/which; grep -c /skep/shown /proc/self/mountinfo';
      const { seen } = await seeing(await showing('c', shown, '/skep/elsewhere'), script, isGone(waiting[0]));
      expect(seen).toEqual(seen.map(() => '/skep/elsewhere/which\n\n/skep:\nelsewhere\nfile\n0\n'));
    });

    it('nor to one that shows nothing', async () => {
      const waiting = waits();
      expect(waiting).toHaveLength(1);
      const none = await provider.create({ id: 'none', limits, files: [], folders: [] });
      const { seen } = await seeing(none, 'ls -A /skep; grep -c /skep/shown /proc/self/mountinfo', isGone(waiting[0]));
      expect(seen).toEqual(['0\n', '0\n']);
    });

    it('nor to one that shows more than can be shown', async () => {
      const folders = Array.from({ length: 65 }, (_, i) => ({ from: shown, to: `/skep/${i}` }));
      const refused = provider.create({ id: 'many', limits, files: [], folders });
      await expect(refused).rejects.toSatisfy(error => isFault(error, 'invalid_request'));
      expect(ours().filter(name => name.startsWith('many'))).toEqual([]);
    });

    it('and is what lies there now, where that was made again', async () => {
      rmSync(shown, { recursive: true });
      mkdirSync(shown, { mode: 0o755 });
      writeFileSync(join(shown, 'which'), 'second');
      expect((await seeing(await showing('c', shown), 'cat /skep/shown/which')).seen).toEqual(['second', 'second']);
    });

    it.each(['nothing', 'a file in the place of the folder above it'])('and hinders nobody where there is %s', async what => {
      const inner = join(shown, 'inner');
      mkdirSync(inner);
      for (const id of ['c', 'd']) await (await showing(id, inner)).kill();
      await provider.prewarm(limits, 2);
      expect(waits()).toHaveLength(2);
      rmSync(shown, { recursive: true });
      if (what !== 'nothing') writeFileSync(shown, '');
      await expect(showing('e', inner)).rejects.toSatisfy(error => isFault(error, 'invalid_request'));
      await provider.prewarm(limits, 1);
      expect(waits()).toEqual([]);
      const other = await provider.create({ id: 'other', limits, files: [], folders: [] });
      expect((await seeing(other, 'echo well')).seen).toEqual(['well\n', 'well\n']);
    });
  });
});
