/**
 * What of sandboxes stays on a machine by their user ids.
 *
 *   leftGroups(places?): string[]               cgroups of ids that nobody has
 *   leftUserIds(homes, places?): string[]       ids that workers of these homes had when they died
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { isDead } from '../../src/kernel/processes/owner.ts';
import { userIdsFolder } from '../../src/providers/sandboxes/local/host/user-ids.ts';

export interface Places {
  /** Where the ids that are taken are noted, and where cgroups are mounted. */
  readonly ids: string;
  readonly groups: string;
}

const ofMachine: Places = { ids: userIdsFolder, groups: '/sys/fs/cgroup' };

/**
 * They are made after their id was taken and removed before it is given back, so one whose id nobody has is left behind. Whoever else works
 * on this machine may be between two of these steps: what is there at the second look too was there in between.
 */
export function leftGroups({ ids, groups } = ofMachine): string[] {
  const isLeft = (path: string): boolean => !existsSync(join(ids, basename(path))) && existsSync(path);
  return groupsIn(groups)
    .filter(isLeft)
    .filter(isLeft)
    .map(path => `cgroup ${path}`);
}

/** By both versions, also beside each other. */
function groupsIn(root: string): string[] {
  const parents = ['', 'unified', 'memory', 'pids', 'cpu'].map(name => join(root, name, 'skep'));
  return parents.flatMap(parent =>
    namesIn(parent)
      .filter(name => /^\d+$/.test(name))
      .map(name => join(parent, name)),
  );
}

/** Their heirs have not given them back. */
export function leftUserIds(homes: readonly string[], { ids } = ofMachine): string[] {
  return namesIn(ids).flatMap(uid =>
    namesIn(join(ids, uid))
      .filter(isDead)
      .map(holder => textOf(join(ids, uid, holder)))
      .filter(place => homes.some(home => place.startsWith(`${home}/`)))
      .map(place => `user id ${uid} of ${place}`),
  );
}

function namesIn(folder: string): string[] {
  return orNone(() => readdirSync(folder), []);
}

function textOf(file: string): string {
  return orNone(() => readFileSync(file, 'utf8'), '');
}

/** It has gone meanwhile, or never was there. */
function orNone<T>(look: () => T, none: T): T {
  try {
    return look();
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ENODEV'].includes((error as NodeJS.ErrnoException).code ?? '')) return none;
    throw error;
  }
}
