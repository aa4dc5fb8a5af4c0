import { chmodSync, existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { processesWith, temporaryFolder } from '../../../test/harness/worker.ts';
import { systemClock } from '../../kernel/clock.ts';
import { silentLog } from '../../kernel/log.ts';
import { createLocalSandboxes } from '../../providers/sandboxes/local/index.ts';
import type { Sandbox, SandboxProvider } from '../sandbox.ts';
import { findSandboxesHere } from './client.ts';
import type { SandboxHere } from './client.ts';
import { openControl } from './server.ts';
import type { Control } from './server.ts';

let sandboxes: SandboxProvider;
let sandbox: Sandbox;
const limits = { memoryBytes: 256 * 2 ** 20, processCount: 32, cpuCount: 1, tmpBytes: 2 ** 20, workspaceBytes: 16 * 2 ** 20 };
beforeAll(async () => {
  sandboxes = createLocalSandboxes({ folder: join(temporaryFolder(), 'sandboxes'), clock: systemClock, log: silentLog });
  sandbox = await sandboxes.create({ id: 'one', limits, files: [], folders: [] });
});
afterAll(() => sandbox.kill());

const controls: Control[] = [];
afterEach(async () => {
  await Promise.all(controls.splice(0).map(control => control.close()));
});

/** Longer than a path of a socket may be. */
const longFolder = () => join(temporaryFolder(), 'a'.repeat(100), 'worker');

async function open(folder = longFolder()): Promise<string> {
  controls.push(await openControl({ folder, name: 'w', sandboxes, log: silentLog }));
  return folder;
}

async function theOne(folder: string): Promise<SandboxHere> {
  const [found] = await findSandboxesHere(folder);
  if (found === undefined) throw new Error('there is no sandbox');
  return found;
}

interface How {
  readonly argv: string[];
  readonly stdin?: Buffer;
  readonly signal?: AbortSignal;
  readonly timeout_ms?: number;
  readonly cwd?: string;
}

async function run(folder: string, { signal = new AbortController().signal, timeout_ms = 20_000, ...how }: How) {
  const printed = { stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) };
  const exit = await (await theOne(folder)).exec({
    ...{ timeout_ms, signal, ...how },
    onOutput: (stream, chunk) => void (printed[stream] = Buffer.concat([printed[stream], chunk])),
  });
  return { exit, ...printed };
}

describe('the control socket of a worker', () => {
  it('runs a command in a sandbox, byte for byte, with its stdin and its exit code', async () => {
    const folder = await open();
    const bytes = Buffer.from(Array.from({ length: 100_000 }, (_, i) => (i * 7) % 256));
    const echoed = await run(folder, { argv: ['cat'], stdin: bytes });
    expect(echoed.stdout.equals(bytes)).toBe(true);
    const failed = await run(folder, { argv: ['sh', '-c', 'echo out; echo err >&2; exit 7'] });
    expect([failed.exit, failed.stdout.toString(), failed.stderr.toString()]).toEqual([
      expect.objectContaining({ reason: 'exited', code: 7 }),
      'out\n',
      'err\n',
    ]);
  });

  it('says how else a command ended', async () => {
    const folder = await open();
    expect((await run(folder, { argv: ['no-such-program'] })).exit.reason).toBe('not_found');
    expect((await run(folder, { argv: ['sleep', '31416'], timeout_ms: 200 })).exit.reason).toBe('timeout');
    expect(processesWith('31416')).toEqual([]);
  });

  it('passes on why a sandbox refuses', async () => {
    const folder = await open();
    await expect(run(folder, { argv: ['true'], cwd: 'nowhere' })).rejects.toMatchObject({ code: 'invalid_request' });
  });

  it('ends the command of who goes away', async () => {
    const folder = await open();
    const leaving = new AbortController();
    const gone = new Error('gone');
    const running = run(folder, { argv: ['sleep', '16180'], signal: leaving.signal });
    await expect.poll(() => processesWith('16180').length).toBeGreaterThan(0);
    leaving.abort(gone);
    await expect(running).rejects.toBe(gone);
    await expect.poll(() => processesWith('16180')).toEqual([]);
  });

  it('tells who waits for a command that the worker has gone', async () => {
    const folder = await open();
    const running = run(folder, { argv: ['sleep', '14159'] });
    const refusal = running.then(
      () => undefined,
      (error: unknown) => error,
    );
    await expect.poll(() => processesWith('14159').length).toBeGreaterThan(0);
    await Promise.all(controls.splice(0).map(control => control.close()));
    expect(await refusal).toMatchObject({ code: 'server_unavailable' });
    await expect.poll(() => processesWith('14159')).toEqual([]);
  });

  it('stands beside that of another worker, and takes away what a dead one has left', async () => {
    const folder = await open();
    const left = join(folder, 'control', '1.1.1.abcdef01.1.sock');
    writeFileSync(left, '');
    await open(folder);
    expect(existsSync(left)).toBe(false);
    expect((await findSandboxesHere(folder)).map(({ id, worker }) => [id, worker])).toEqual([
      ['one', 'w'],
      ['one', 'w'],
    ]);
  });

  it('is not opened where others could reach it', async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'control'));
    chmodSync(join(folder, 'control'), 0o755);
    await open(folder);
    const astray = temporaryFolder();
    symlinkSync(temporaryFolder(), join(astray, 'control'));
    await open(astray);
    expect([readdirSync(join(folder, 'control')), await findSandboxesHere(astray)]).toEqual([[], []]);
  });
});
