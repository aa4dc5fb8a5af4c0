import { readFile, realpath, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { Fault } from '../kernel/fault.ts';

/** A repository on this machine. */
export interface Local {
  /** Its git folder, an absolute path without a link in it: what was looked at is what git opens. */
  readonly path: string;
  /** Where its objects and branches are: another folder than `path` in a worktree. */
  readonly common: string;
  readonly uid: number;
  readonly gid: number;
}

/**
 * Finds the git folder behind a path. Throws Fault `repository_unavailable` where there is none, where git would wait on what
 * lies there, and where it lies in a folder of `own`: below them are other projects' copies, and the sandboxes, whose
 * repositories are the agents'.
 */
export async function findLocal(path: string, own: readonly string[]): Promise<Local> {
  const place = await realpath(path).catch((error: unknown) => {
    throw unavailable(
      `${why(error) === 'EACCES' ? 'Skep may not enter' : 'There is no'} ${path} on the server's machine`,
      'Set the repository of the project to where it is: skep project set',
    );
  });
  await refuseOwn(place, own);
  const found = await gitFolderOf(place);
  await refuseOwn(found, own);
  // It goes into a settings file of git, where a line or a star at the end would mean something.
  if (/[\u0000-\u001f\u007f]|\*$/.test(found)) throw unavailable(`git cannot be shown the path of ${path}`, 'Rename the folder');
  const common = await commonOf(found);
  await refuseOwn(common, own);
  for (const folder of new Set([found, common])) await refuseOdd(folder, path);
  await refuseNone(found, common, path);
  const { uid, gid } = await stat(found);
  return { path: found, common, uid, gid };
}

/** By the folders' identity and not by their names: they may be mounted in a second place. */
async function refuseOwn(path: string, own: readonly string[]): Promise<void> {
  const theirs = await Promise.all([...above(path)].map(identity));
  for (const folder of own) {
    if (!theirs.includes(await identity(folder))) continue;
    throw unavailable(
      "The repository lies in Skep's own folder (SKEP_HOME), where no project's repository can be",
      'Move it elsewhere, or name another: skep project set',
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
  const named = /^gitdir: (.*?)\n*$/.exec((await smallFile(inside)) ?? '')?.[1];
  return named === undefined ? inside : realpath(resolve(place, named)).catch(() => inside);
}

async function commonOf(gitFolder: string): Promise<string> {
  const named = (await smallFile(join(gitFolder, 'commondir')))?.replace(/\n*$/, '');
  return named === undefined ? gitFolder : realpath(resolve(gitFolder, named)).catch(() => gitFolder);
}

/** Undefined for what is no file: to open a FIFO would wait for ever. */
async function smallFile(path: string): Promise<string | undefined> {
  const found = await stat(path).catch(() => undefined);
  return found?.isFile() && found.size <= 8_192 ? readFile(path, 'utf8').catch(() => undefined) : undefined;
}

const filesOfGit = ['HEAD', 'config', 'config.worktree', 'commondir', 'packed-refs', 'shallow'];
const foldersOfGit = ['objects', 'refs'];

/** What git opens first. Deeper down it is git's time limit that ends the waiting. */
async function refuseOdd(gitFolder: string, path: string): Promise<void> {
  const kinds = [...filesOfGit.map(name => [name, 'file'] as const), ...foldersOfGit.map(name => [name, 'folder'] as const)];
  for (const [name, kind] of kinds) {
    const found = await stat(join(gitFolder, name)).catch(() => undefined);
    if (found === undefined || (kind === 'file' ? found.isFile() : found.isDirectory())) continue;
    throw unavailable(`The repository ${path} is damaged: ${join(gitFolder, name)} is no ${kind}`, 'Mend or clone it anew');
  }
}

async function refuseNone(gitFolder: string, common: string, path: string): Promise<void> {
  for (const needed of [join(gitFolder, 'HEAD'), join(common, 'objects')]) {
    const error = await stat(needed).then(
      () => undefined,
      (thrown: unknown) => why(thrown),
    );
    if (error === undefined) continue;
    if (error === 'EACCES')
      throw unavailable(`Skep may not read the repository ${path}`, 'Let the user that Skep runs as read it');
    throw unavailable(`${path} is no git repository`, 'Run git init in it and make a commit, or name another: skep project set');
  }
}

function why(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
}

function unavailable(message: string, hint: string): Fault {
  return new Fault('repository_unavailable', { message, hint });
}
