import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { findTools, SYSTEM_PATH } from '../local/host/tools.ts';
import { createReady, readyMax } from './ready.ts';

const [small, large] = [16 * 2 ** 20, 32 * 2 ** 20];
let folder: string;
let made: number[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'skep-ready-'));
  made = [];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const ready = () =>
  createReady({
    ...{ folder, tools: findTools(SYSTEM_PATH) },
    make: (place, bytes) => {
      made.push(bytes);
      mkdirSync(join(place, 'slot'));
      return Promise.resolve();
    },
  });

it('has as many as are wanted, makes another for one that is taken, and gives back what is too many', async () => {
  const disks = ready();
  expect(disks.take(small)).toBeUndefined();
  await disks.want(small, 2);
  expect(readdirSync(folder)).toHaveLength(2);
  const taken = disks.take(small) ?? '';
  expect(existsSync(taken)).toBe(true);
  expect(disks.take(large)).toBeUndefined();
  await disks.want(small, 2);
  expect([made, readdirSync(folder).length]).toEqual([[small, small, small], 3]);
  await disks.want(small, 0);
  expect(readdirSync(folder)).toEqual([taken.slice(folder.length + 1)]);
});

it('has no more than its maximum, of all sizes together, and none for what is no number', async () => {
  const disks = ready();
  await disks.want(small, Number.NaN);
  await disks.want(small, -1);
  expect(readdirSync(folder)).toEqual([]);
  await disks.want(small, readyMax - 1);
  await disks.want(large, 1_000_000);
  expect(made.filter(bytes => bytes === large)).toHaveLength(1);
  expect(readdirSync(folder)).toHaveLength(readyMax);
});

it('leaves nothing of what could not be made, and says nothing of it', async () => {
  const make = () => Promise.reject(new Error('no space'));
  await createReady({ folder, tools: findTools(SYSTEM_PATH), make }).want(small, 3);
  expect(readdirSync(folder)).toEqual([]);
});
