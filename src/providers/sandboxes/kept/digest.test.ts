import { linkSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { systemClock } from '../../../kernel/clock.ts';
import { digestOf } from './digest.ts';

const MiB = 2 ** 20;
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'skep-digest-'));
  writeFileSync(join(folder, 'file'), Buffer.alloc(24 * MiB, 'content'));
});
afterEach(() => rmSync(folder, { recursive: true }));

it('is the same while sandboxes begin as what is read, each of which has it under a name more', async () => {
  const quiet = await digestOf(folder, 'file');
  let count = 0;
  let isOver = false;
  const reading = digestOf(folder, 'file').finally(() => (isOver = true));
  while (!isOver) {
    linkSync(join(folder, 'file'), join(folder, `name-${(count += 1)}`));
    await systemClock.sleep(5);
  }
  expect(await reading).toBe(quiet);
  expect(count).toBeGreaterThan(0);
});

it('is another for each byte, and for a hole more at the end', async () => {
  const quiet = await digestOf(folder, 'file');
  const file = await open(join(folder, 'file'), 'r+');
  await file.write('C', 20 * MiB);
  await file.close();
  const changed = await digestOf(folder, 'file');
  truncateSync(join(folder, 'file'), 32 * MiB);
  expect(new Set([quiet, changed, await digestOf(folder, 'file')]).size).toBe(3);
});

it('reads no holes', async () => {
  // Read, they would take minutes.
  truncateSync(join(folder, 'file'), 2 ** 40);
  expect(await digestOf(folder, 'file')).toMatch(/^[0-9a-f]{64}$/);
});

it('is none of what is not there', async () => {
  await expect(digestOf(folder, 'other')).rejects.toThrow('no such file');
});
