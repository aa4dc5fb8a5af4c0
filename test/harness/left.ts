/**
 * Folders of tests, each with a note that says whose it is. A database outlives who started it, and starts again what it is asked by: of
 * a test that was killed both would run for ever.
 *
 *   ownFolder(prefix, under?): string         a new one, of this process
 *   removeOwn(folder): Promise<void>          with what is at work in it
 *   removeLeft(): Promise<void>               those of processes that are dead
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { systemClock } from '../../src/kernel/clock.ts';
import { allPids, processInfo, workingDirectory } from '../../src/kernel/processes/info.ts';
import { isDead, type Owner, thisOwner } from '../../src/kernel/processes/owner.ts';
import { removeTree } from './disks.ts';

const notes = join(tmpdir(), `skep-tests-${process.getuid?.() ?? ''}`);

export function ownFolder(prefix: string, under = tmpdir()): string {
  const folder = mkdtempSync(join(under, prefix));
  mkdirSync(notes, { recursive: true });
  writeFileSync(noteOf(folder, thisOwner()), folder);
  return folder;
}

export async function removeOwn(folder: string): Promise<void> {
  await remove(folder, noteOf(folder, thisOwner()));
}

/** What cannot be removed stays noted, for the next one. */
export async function removeLeft(): Promise<void> {
  for (const name of listOr(notes)) {
    const [, owner = ''] = name.split('~');
    if (!isDead(owner)) continue;
    const note = join(notes, name);
    // Another run may be at it too, or have done it.
    await Promise.resolve()
      .then(() => remove(readFileSync(note, 'utf8'), note))
      .catch(() => {});
  }
}

function noteOf(folder: string, owner: Owner): string {
  return join(notes, `${basename(folder)}~${owner}`);
}

async function remove(folder: string, note: string): Promise<void> {
  await endAllIn(folder);
  removeTree(folder);
  rmSync(note, { force: true });
}

const endMs = 5_000;

/** Its data is to go too, so nothing needs to end well. */
async function endAllIn(folder: string): Promise<void> {
  for (const signal of ['SIGQUIT', 'SIGKILL'] as const) {
    for (const { pid, isDatabase } of atWorkIn(folder)) send(pid, isDatabase ? signal : 'SIGKILL');
    for (const end = systemClock.mono() + endMs; systemClock.mono() < end; await systemClock.sleep(10))
      if (atWorkIn(folder).length === 0) return;
  }
  throw new Error(`does not end: ${JSON.stringify(atWorkIn(folder))}`);
}

/** A PostgreSQL whose data lies in the folder, also where that is gone, and a server or a worker of Skep whose home does. */
function atWorkIn(folder: string): { readonly pid: number; readonly isDatabase: boolean }[] {
  return allPids().flatMap(pid => {
    const info = pid === process.pid ? undefined : processInfo(pid);
    if (info === undefined || info.zombie) return [];
    const program = info.argv[0] ?? '';
    const isPostgres = program.startsWith('postgres: ') || basename(program) === 'postgres';
    const isDatabase = isPostgres && workingDirectory(pid)?.startsWith(`${folder}/`) === true;
    return isDatabase || isSkepIn(folder, pid, info.argv) ? [{ pid, isDatabase }] : [];
  });
}

function isSkepIn(folder: string, pid: number, argv: readonly string[]): boolean {
  if (!argv.some(word => word.endsWith('/bin/skep'))) return false;
  const home = environmentOf(pid).find(variable => variable.startsWith('SKEP_HOME='));
  return `${home}/`.startsWith(`SKEP_HOME=${folder}/`);
}

function environmentOf(pid: number): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
  } catch {
    return [];
  }
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended by itself; what is still there is told of at the end.
  }
}

function listOr(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
