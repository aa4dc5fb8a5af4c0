import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../../kernel/clock.ts';
import { thisOwner } from '../../kernel/processes/owner.ts';
import { removeAbandoned } from './incoming.ts';

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'skep-incoming-'))));
afterEach(() => rmSync(folder, { recursive: true }));

test('what a dead process was receiving is removed at once, and what nobody is known to receive after an hour', async () => {
  const [, ...rest] = thisOwner().split('.');
  const dead = [spawnSync('true').pid, ...rest].join('.');
  const old = ['of-nobody-old', `of-me-old~${thisOwner()}`];
  for (const name of [`of-me~${thisOwner()}`, `of-the-dead~${dead}`, 'of-nobody', ...old])
    writeFileSync(join(folder, name), 'half');
  const twoHoursAgo = new Date(systemClock.now() - 7_200_000);
  for (const name of old) utimesSync(join(folder, name), twoHoursAgo, twoHoursAgo);
  expect(await removeAbandoned(folder, systemClock)).toBe(3);
  expect(readdirSync(folder).toSorted()).toEqual([`of-me~${thisOwner()}`, 'of-nobody'].toSorted());
});
