import { afterAll, beforeAll, it, test } from 'vitest';
import { type Farm, startFarm } from '../harness/farm.ts';
import { buildSkep, endAll } from '../harness/process.ts';
import { sampleNames } from '../samples/repositories.ts';
import { expectInOrder } from '../scenarios/build/clean.ts';
import { expectBuilt } from '../scenarios/build/foreign.ts';
import { expectFit, expectUnfit } from '../scenarios/build/hostile.ts';

let farm: Farm;
beforeAll(async () => {
  buildSkep();
  farm = await startFarm();
  farm.worker('steady', { slots: 2 });
});
afterAll(endAll);

it.each(sampleNames.filter(name => name !== 'eyes'))('%s, which others wrote, is built on', name => expectBuilt(farm, name));

it.each([
  ['main', []],
  ['-x', []],
  ['`touch`', []],
  ['wide\u3000blank', []],
  ['main', ['bad_bytes']],
] as const)('a hostile repository on the branch %j with %j is built on', (branch, variants) =>
  expectFit(farm, { branch, variants }),
);

it.each([
  ['broken_refs', /dangerous/],
  ['skep_branch', /refs\/heads\/skep is in its way/],
  ['promisor', /lacks objects of its own history/],
  ['submodule_command', /\.gitmodules .* names a command/],
  // Git waits for a named pipe as long as it is let.
  ['fifo_in_git', /did not answer in time/],
] as const)('a hostile repository with %s is refused with a reason', (variant, reason) =>
  expectUnfit(farm, { variant, reason, ms: 180_000 }),
);

test('nothing of all this is stuck, held twice or waited for in a circle', () => expectInOrder(farm));
