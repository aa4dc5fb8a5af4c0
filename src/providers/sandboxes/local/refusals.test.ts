import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../kernel/clock.ts';
import { isFault } from '../../../kernel/fault.ts';
import type { FaultCode } from '../../../kernel/fault.ts';
import { silentLog } from '../../../kernel/log.ts';
import type { Sandbox, SandboxLimits, SandboxProvider } from '../../../worker/sandbox.ts';
import { createLocalSandboxes } from './index.ts';

const limits = { memoryBytes: 2 ** 28, processCount: 16, cpuCount: 1, tmpBytes: 2 ** 20, workspaceBytes: 16 * 2 ** 20 };
const spec = { id: 'one', limits, files: [], folders: [] };

let top: string;
let folder: string;
beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), 'skep-refusals-'));
  folder = join(top, 'sandboxes');
});
afterEach(() => rmSync(top, { recursive: true, force: true }));

const provider = (place = folder): SandboxProvider => createLocalSandboxes({ folder: place, clock: systemClock, log: silentLog });
const sandboxesIn = (place: string) => readdirSync(place).filter(name => name.includes('~'));
const is = (code: FaultCode) => (error: unknown) => isFault(error, code);

async function works(sandbox: Sandbox): Promise<void> {
  const exit = await sandbox.exec({ argv: ['true'], timeoutMs: 20_000, outputBytesMax: 1_000, onOutput: () => {} });
  expect(exit).toMatchObject({ reason: 'exited', code: 0 });
}

describe('a limit', () => {
  const wrong = [0, -1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53];
  const names = Object.keys(limits) as (keyof SandboxLimits)[];

  it.each(names)('%s that is none is refused by name, and nothing is made', async name => {
    const sandboxes = provider();
    for (const value of [...wrong, ...(name === 'cpuCount' ? [] : [1.5])]) {
      const made = sandboxes.create({ ...spec, limits: { ...limits, [name]: value } });
      await expect(made).rejects.toMatchObject({
        code: 'invalid_request',
        message: `the limit ${name} of a sandbox is ${value}`,
      });
    }
    expect(sandboxesIn(folder)).toEqual([]);
  });

  it('of a workspace that is too small for anything is refused, also to have it ready', async () => {
    const small = { ...limits, workspaceBytes: 8 * 2 ** 20 - 1 };
    await expect(provider().create({ ...spec, limits: small })).rejects.toSatisfy(is('invalid_request'));
    await expect(provider().prewarm(small, 1)).rejects.toSatisfy(is('invalid_request'));
  });

  it('that is larger than any machine is one', async () => {
    const vast = 2 ** 53 - 1;
    const all = { memoryBytes: vast, processCount: vast, cpuCount: vast, tmpBytes: vast, workspaceBytes: vast };
    const sandbox = await provider().create({ ...spec, limits: all });
    await works(sandbox);
    await sandbox.kill();
    expect(sandboxesIn(folder)).toEqual([]);
  });
});

describe('the folder of the sandboxes', () => {
  it('may be a link to a folder, which then belongs to the worker alone', async () => {
    const elsewhere = join(top, 'elsewhere');
    mkdirSync(elsewhere, { mode: 0o755 });
    symlinkSync(elsewhere, folder);
    const sandbox = await provider().create(spec);
    expect(sandboxesIn(elsewhere)).toHaveLength(1);
    expect(statSync(elsewhere).mode & 0o777).toBe(0o700);
    await works(sandbox);
    await sandbox.kill();
    expect(sandboxesIn(elsewhere)).toEqual([]);
  });

  it.each([
    ['a file', (): void => writeFileSync(folder, '')],
    ['a link to nothing', (): void => symlinkSync(join(top, 'nothing'), folder)],
    ['a link to itself', (): void => symlinkSync(folder, folder)],
  ])('is refused where it is %s', async (_, make) => {
    make();
    expect(await provider().probe()).toMatchObject({
      ok: false,
      why: expect.stringContaining(`the folder ${folder} cannot be used`),
    });
    await expect(provider().create(spec)).rejects.toSatisfy(is('sandbox_unavailable'));
  });
});

describe('a second sandbox of one id', () => {
  it('is refused while the first is being made, lives, or is being removed, and does not harm it', async () => {
    const sandboxes = provider();
    const first = sandboxes.create(spec);
    await expect(sandboxes.create(spec)).rejects.toSatisfy(is('already_exists'));
    const made = await first;
    await expect(sandboxes.create(spec)).rejects.toSatisfy(is('already_exists'));
    await works(made);
    const removed = made.kill();
    await expect(sandboxes.create(spec)).rejects.toSatisfy(is('already_exists'));
    await removed;
    const again = await sandboxes.create(spec);
    await works(again);
    await again.kill();
    expect([sandboxes.list(), sandboxesIn(folder)]).toEqual([[], []]);
  });
});

it('is removed by one kill of two, also while a command begins', async () => {
  const sandbox = await provider().create(spec);
  const begun = sandbox.exec({ argv: ['sleep', '1000'], timeoutMs: 20_000, outputBytesMax: 1_000, onOutput: () => {} });
  const settled = begun.then(
    ({ reason }) => reason,
    (error: unknown) => (isFault(error, 'wrong_state') ? 'wrong_state' : error),
  );
  await Promise.all([sandbox.kill(), sandbox.kill()]);
  expect(['aborted', 'wrong_state']).toContain(await settled);
  expect(sandboxesIn(folder)).toEqual([]);
});
