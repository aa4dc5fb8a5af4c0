import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { createHostGit } from '../../../git/index.ts';
import type { HostGit } from '../../../git/index.ts';
import type { Clock } from '../../../kernel/clock.ts';
import { bareAt } from './bare.ts';
import type { Bare } from './bare.ts';
import { quarantine } from './receive.ts';

interface Options {
  /** Of the depot. */
  readonly folder: string;
  readonly clock: Clock;
  /** Which of these are runs. */
  readonly runsAmong: (ids: readonly string[]) => Promise<ReadonlySet<string>>;
}

/** Whoever works on such a thing is done with it, or was stopped, in a sixth of this time. */
const abandonedMs = 3_600_000;
/** Looked at in one repository, and in one go. */
const refsMax = 10_000;

/**
 * Removes what processes that were killed have left in the depot: drafts of repositories, packs that were looked at, locks of git, and
 * refs of runs that are none. What is younger than an hour stays. Returns how many there were.
 */
export async function tidyDepot({ folder, clock, runsAmong }: Options): Promise<number> {
  const before = clock.now() - abandonedMs;
  const names = await readdir(folder).catch(() => []);
  let count = 0;
  for (const name of names.filter(each => /^[0-9a-z-]+[.]git[.][0-9a-f-]{36}$/.test(each)))
    count += await removeOld(join(folder, name), before);
  const git = await createHostGit(folder, clock);
  for (const name of names.filter(each => /^[0-9a-z-]+[.]git$/.test(each))) {
    const gitDir = join(folder, name);
    count += await removeFrom(gitDir, before);
    count += await removeRefs(bareOf(git, { gitDir, clock }), runsAmong);
  }
  return count;
}

function bareOf(git: HostGit, { gitDir, clock }: { gitDir: string; clock: Clock }): Bare {
  return bareAt(git, { gitDir, lock: gitDir.replace(/[.]git$/, '.lock'), objectFormat: 'sha1', clock });
}

/** Quarantined packs, and locks; where a repository is removed meanwhile there is nothing to do. */
async function removeFrom(gitDir: string, before: number): Promise<number> {
  const inside = await readdir(gitDir).catch(() => []);
  const refs = await readdir(join(gitDir, 'refs'), { recursive: true }).catch(() => []);
  const left = [
    ...inside.filter(name => name.startsWith(quarantine) || name.endsWith('.lock')),
    ...refs.filter(name => name.endsWith('.lock')).map(name => join('refs', name)),
  ];
  let count = 0;
  for (const name of left) count += await removeOld(join(gitDir, name), before);
  return count;
}

/** A run has its row before it has a ref, so what has none never will. */
async function removeRefs(bare: Bare, runsAmong: Options['runsAmong']): Promise<number> {
  const listed = await bare
    .text(['for-each-ref', `--count=${refsMax}`, '--format=%(refname)', 'refs/skep/runs/'])
    .catch(() => '');
  const refs = listed.split('\n').filter(ref => /^refs[/]skep[/]runs[/][0-9a-f-]{36}$/.test(ref));
  if (refs.length === 0) return 0;
  const runs = await runsAmong(refs.map(idOf));
  const gone = refs.filter(ref => !runs.has(idOf(ref)));
  for (const ref of gone) await bare.alone(['update-ref', '-d', ref]);
  return gone.length;
}

const idOf = (ref: string): string => ref.slice(ref.lastIndexOf('/') + 1);

async function removeOld(path: string, before: number): Promise<number> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined || found.mtimeMs >= before) return 0;
  await rm(path, { recursive: true, force: true });
  return 1;
}
