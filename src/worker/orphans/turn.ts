import { mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../kernel/clock.ts';
import { isDead, thisOwner } from '../../kernel/processes/owner.ts';

/** Whoever has had a turn for so long is in a container that is gone: whether it lives cannot be known from here. */
const turnMsMax = 3_600_000;

/**
 * Does `work` while nobody else on this machine does what is named by `place`; undefined where somebody does. A turn is a folder
 * that holds the owner's name: a filled folder can be renamed onto an empty one and onto no other, so a dead owner's is taken by one.
 */
export async function alone<T>(place: string, clock: Clock, work: () => Promise<T>): Promise<T | undefined> {
  if (!take(place, clock)) return undefined;
  try {
    return await work();
  } finally {
    rmSync(join(place, thisOwner()), { force: true });
  }
}

function take(place: string, clock: Clock): boolean {
  const owner = thisOwner();
  const filled = `${place}~${owner}`;
  mkdirSync(filled, { recursive: true, mode: 0o700 });
  writeFileSync(join(filled, owner), '');
  for (const holder of holders(place)) if (isOver(place, { holder, clock })) rmSync(join(place, holder), { force: true });
  try {
    renameSync(filled, place);
    return true;
  } catch {
    rmSync(filled, { recursive: true, force: true });
    return false;
  }
}

function isOver(place: string, { holder, clock }: { holder: string; clock: Clock }): boolean {
  if (isDead(holder)) return true;
  const since = statSync(join(place, holder), { throwIfNoEntry: false })?.mtimeMs;
  return since === undefined || clock.now() - since > turnMsMax;
}

function holders(place: string): string[] {
  try {
    return readdirSync(place);
  } catch {
    return [];
  }
}
