import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { sandboxesIn } from '../../harness/disks.ts';
import { allEvents, deadlocks, type Farm, heldTwice, leftAlone } from '../../harness/farm.ts';
import { processesWith, type SkepProcess } from '../../harness/process.ts';

/** No row is without an owner, no ticket was held by two at once, and no transactions waited for each other in a circle. */
export async function expectInOrder(farm: Farm): Promise<void> {
  expect(heldTwice(await allEvents(farm))).toEqual([]);
  expect(await leftAlone(farm)).toEqual([]);
  expect(deadlocks(farm)).toBe(0);
}

/** Nor is anything left on the machine once the workers have stopped: no process and no sandbox. */
export async function expectClean(farm: Farm, workers: readonly SkepProcess[]): Promise<void> {
  await expectInOrder(farm);
  await Promise.all(workers.map(worker => worker.kill('SIGTERM')));
  const homes = join(farm.home, 'workers');
  expect(processesWith(homes)).toEqual([]);
  const sandboxes = readdirSync(homes).map(name => join(homes, name, 'sandboxes'));
  expect(sandboxes.filter(folder => existsSync(folder)).flatMap(sandboxesIn)).toEqual([]);
}
