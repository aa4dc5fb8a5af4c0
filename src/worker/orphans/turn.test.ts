import { mkdirSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { temporaryFolder } from '../../../test/harness/worker.ts';
import { systemClock } from '../../kernel/clock.ts';
import { thisOwner } from '../../kernel/processes/owner.ts';
import { alone } from './turn.ts';

const clock = systemClock;
const dead = thisOwner().replace(/^\d+\.\d+/, '1.1');
const elsewhere = thisOwner().replace(/^(\d+\.\d+)\.\d+/, '$1.4026539999');

function heldBy(owner: string): string {
  const place = join(temporaryFolder(), 'turn');
  mkdirSync(place);
  writeFileSync(join(place, owner), '');
  return place;
}

it('lets one work at a time, and the next when that is done, also badly', async () => {
  const folder = temporaryFolder();
  const place = join(folder, 'turn');
  const seen = await alone(place, clock, async () => [await alone(place, clock, () => Promise.resolve('both'))]);
  expect(seen).toEqual([undefined]);
  await expect(alone(place, clock, () => Promise.reject(new Error('bad')))).rejects.toThrow('bad');
  expect(await alone(place, clock, () => Promise.resolve('next'))).toBe('next');
  expect(readdirSync(folder)).toEqual(['turn']);
});

it('takes the turn of a dead process, and never that of a living one', async () => {
  expect(await alone(heldBy(dead), clock, () => Promise.resolve('mine'))).toBe('mine');
  expect(await alone(heldBy(thisOwner()), clock, () => Promise.resolve('mine'))).toBeUndefined();
});

it('takes one of which nobody can know whether it lives after an hour', async () => {
  const place = heldBy(elsewhere);
  expect(await alone(place, clock, () => Promise.resolve('mine'))).toBeUndefined();
  utimesSync(join(place, elsewhere), new Date(Date.now() - 3_700_000), new Date(Date.now() - 3_700_000));
  expect(await alone(place, clock, () => Promise.resolve('mine'))).toBe('mine');
});
