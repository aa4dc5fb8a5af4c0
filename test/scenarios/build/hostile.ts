import { expect } from 'vitest';
import type { Farm } from '../../harness/farm.ts';
import { temporaryFolder } from '../../harness/worker.ts';
import { hostileRepository, type HostileVariant } from '../../samples/hostile.ts';
import { snapshotTree } from '../../samples/snapshot.ts';
import { type Outcome, settled, startStory } from './story.ts';

interface Hostility {
  readonly variants?: readonly HostileVariant[];
  readonly branch?: string;
}

const agent = { kind: 'exec' as const, command: ['sh', '-c', 'echo done >work.txt'] };
const card = { name: 'Fit', features: [{ title: 'Do it' }] };

/** Lets a hostile repository be built on: whatever comes of it, nothing ran on the host and nothing in it changed but the new branch. */
async function expectHarmless(
  farm: Pick<Farm, 'call'>,
  hostility: Hostility,
  ms = 60_000,
): Promise<Outcome & { commit: string }> {
  const { folder, canaries, commit } = hostileRepository({ canaries: temporaryFolder(), ...hostility });
  const before = snapshotTree(folder, ['refs/heads/skep/fit']);
  const outcome = await settled(farm, await startStory(farm, { repository: folder, agent, card }), ms);
  expect(canaries()).toEqual([]);
  expect(snapshotTree(folder, ['refs/heads/skep/fit'])).toEqual(before);
  return { ...outcome, commit };
}

/** And the honest work of its one ticket landed. */
export async function expectFit(farm: Pick<Farm, 'call'>, hostility: Hostility): Promise<void> {
  const { trunk, session, tickets, commit } = await expectHarmless(farm, hostility);
  expect([trunk.reason, session.state, tickets[0]?.proof, trunk.base_sha]).toEqual([null, 'completed', 'proven', commit]);
}

/** Or it was refused, with a reason that a person can do something about. */
export async function expectUnfit(
  farm: Pick<Farm, 'call'>,
  { variant, reason, ms }: { variant: HostileVariant; reason: RegExp; ms?: number },
): Promise<void> {
  const { trunk, tickets } = await expectHarmless(farm, { variants: [variant] }, ms);
  expect([trunk.state, tickets[0]?.attempts]).toEqual(['refused', 0]);
  expect(trunk.reason).toMatch(reason);
  expect(trunk.hint?.length).toBeGreaterThan(10);
}
