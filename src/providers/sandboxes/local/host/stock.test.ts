import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createStock } from './stock.ts';
import { createUserIds } from './user-ids.ts';

const base = 1_999_100_000;
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'skep-stock-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const idsOf = (count: number) => createUserIds({ folder, home: folder, base, count });
const taken = () =>
  readdirSync(folder)
    .map(Number)
    .sort((a, b) => a - b);

it('keeps for itself what is given back, and takes others only beyond that', () => {
  const stock = createStock(idsOf(3));
  expect([stock.take(), stock.take()]).toEqual([base, base + 1]);
  stock.release(base);
  expect(idsOf(3).take()).toBe(base + 2);
  expect(stock.take()).toBe(base);
  expect(() => stock.take()).toThrow('all 3 user ids');
});

it('hands none out twice, also where one is given back twice', () => {
  const stock = createStock(idsOf(3));
  const uid = stock.take();
  stock.release(uid);
  stock.release(uid);
  expect(new Set([stock.take(), stock.take(), stock.take()]).size).toBe(3);
});

it('gives back at once what it did not hand out, and all at the end of the process', () => {
  const stock = createStock(idsOf(2));
  const before = process.listeners('exit');
  const dead = idsOf(2).take();
  stock.release(dead);
  expect(taken()).toEqual([]);
  const own = stock.take();
  const late = stock.take();
  stock.release(own);
  expect(taken()).toEqual([own, late]);
  const added = process.listeners('exit').filter(each => !before.includes(each));
  for (const end of added) end(0);
  expect(taken()).toEqual([late]);
  // What is removed in the last moment is not kept any more.
  stock.release(late);
  expect(taken()).toEqual([]);
});
