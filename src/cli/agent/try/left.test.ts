import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { temporaryFolder } from '../../../../test/harness/worker.ts';
import { systemClock } from '../../../kernel/clock.ts';
import type { World } from '../../world.ts';
import { removeLeftTries } from './left.ts';

const before = process.env['TMPDIR'];
let temporary: string;
let told: string[];
beforeEach(() => {
  temporary = temporaryFolder();
  process.env['TMPDIR'] = temporary;
  told = [];
});
afterEach(() => {
  if (before === undefined) delete process.env['TMPDIR'];
  else process.env['TMPDIR'] = before;
});

const worldWith = (clock = systemClock) => ({ clock, err: { write: (text: string) => told.push(text) } }) as unknown as World;
/** Of a process of before the last start of the machine. */
function left(name: string): string {
  const folder = join(temporary, `skep-try-1.1.1.00000000-${name}`);
  mkdirSync(join(folder, 'home'), { recursive: true });
  return folder;
}

test('what is left is removed, and what only has such a name is not looked at', async () => {
  const folder = left('a');
  writeFileSync(join(temporary, 'skep-try-1.1.1.00000000-file'), '');
  await removeLeftTries(worldWith(), new AbortController().signal);
  expect([told.filter(Boolean), existsSync(folder)]).toEqual([
    [`Removed what a try that was broken off had left in ${folder}\n`],
    false,
  ]);
});

test('temporary files that may not be listed are in no way of a try', async () => {
  process.env['TMPDIR'] = join(temporary, 'none');
  await removeLeftTries(worldWith(), new AbortController().signal);
  expect(told).toEqual([]);
});

test('a database that does not stop holds up nobody who interrupts the try', async () => {
  const folder = left('a');
  const deaf = `process.on('SIGINT', () => {}); console.log(); setInterval(() => {}, 1_000)`;
  const database = spawn(process.execPath, ['-e', deaf, '--', `--pgdata=${folder}/home/postgres/x`]);
  await once(database.stdout, 'data');
  const stopping = new AbortController();
  // Twenty times as fast; it is interrupted when it is first waited for.
  const clock = {
    ...systemClock,
    mono: () => systemClock.mono() * 20,
    sleep: (ms: number) => {
      stopping.abort(new Error('interrupted'));
      return systemClock.sleep(ms);
    },
  };
  await expect(removeLeftTries(worldWith(clock), stopping.signal)).rejects.toThrow('interrupted');
  expect([database.exitCode, database.signalCode, existsSync(folder)]).toEqual([null, null, true]);
  await once(database, 'exit');
  await expect.poll(() => existsSync(folder)).toBe(false);
});
