import { readFile, realpath, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { runFailure } from '../failure.ts';

/** A repository on the worker's machine. */
export interface Local {
  /** Its git folder, an absolute path without a link in it: what was looked at is what git opens. */
  readonly path: string;
  readonly uid: number;
  readonly gid: number;
}

/**
 * Finds the git folder behind a path. Throws a run failure `repository` where there is none, and `invalid_task` where it lies
 * in a folder of `own`: below them are other projects' copies, and the sandboxes, whose repositories are the agents'.
 */
export async function findLocal(path: string, own: readonly string[]): Promise<Local> {
  const place = await realpath(path).catch(() => {
    throw runFailure('repository', `There is no ${path} on the worker's machine`);
  });
  await refuseOwn(place, own);
  const found = await gitFolderOf(place);
  await refuseOwn(found, own);
  // It goes into a settings file of git, where a line or a star at the end would mean something.
  if (/[\u0000-\u001f\u007f]|\*$/.test(found)) throw runFailure('repository', `git cannot be shown the path of ${path}`);
  const { uid, gid } = await stat(found);
  return { path: found, uid, gid };
}

/** By the folders' identity and not by their names: they may be mounted in a second place. */
async function refuseOwn(path: string, own: readonly string[]): Promise<void> {
  const theirs = await Promise.all([...above(path)].map(identity));
  for (const folder of own) {
    if (!theirs.includes(await identity(folder))) continue;
    throw runFailure(
      'invalid_task',
      "The repository lies in Skep's own folder (SKEP_HOME), where no project's repository can be",
    );
  }
}

function* above(path: string): Generator<string> {
  yield path;
  if (path !== dirname(path)) yield* above(dirname(path));
}

async function identity(path: string): Promise<string> {
  const { dev, ino } = await stat(path, { bigint: true });
  return `${dev}:${ino}`;
}

/** As git would look for it: `.git` first, which may be a file that names another folder, as in a worktree. */
async function gitFolderOf(place: string): Promise<string> {
  const inside = await realpath(join(place, '.git')).catch(() => undefined);
  if (inside === undefined || !(await stat(place)).isDirectory()) return place;
  const { size, isFile } = await stat(inside).then(it => ({ size: it.size, isFile: it.isFile() }));
  if (!isFile || size > 8_192) return inside;
  const named = /^gitdir: (.*?)\n*$/.exec(await readFile(inside, 'utf8'))?.[1];
  return named === undefined ? inside : realpath(resolve(place, named)).catch(() => inside);
}
