import { lstatSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Fault } from '../../kernel/fault.ts';
import { isDead, thisOwner } from '../../kernel/processes/owner.ts';

/** Where workers of this machine can be spoken to by programs of the same user: one socket a worker. */
export function controlFolder(workerFolder: string): string {
  return join(workerFolder, 'control');
}

let opened = 0;

/** A name for one more socket of this process. */
export function socketName(): string {
  opened += 1;
  return `${thisOwner()}.${opened}.sock`;
}

/** Makes the folder where it is missing. Throws Fault `invalid_config` where others could reach into it. */
export function makeControlFolder(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const { mode, uid } = lstatSync(folder);
  const isFolder = lstatSync(folder).isDirectory();
  if (isFolder && (mode & 0o077) === 0 && uid === process.geteuid?.()) return;
  throw new Fault('invalid_config', {
    message: `${folder} is not a folder of this user alone`,
    hint: 'Remove it; the worker makes it again',
  });
}

/** Names of sockets whose process may live. */
export function socketsIn(folder: string): readonly string[] {
  return namesIn(folder).filter(name => !isDead(ownerOf(name)));
}

/** Those of processes that are gone. */
export function removeDeadSockets(folder: string): void {
  for (const name of namesIn(folder).filter(name => isDead(ownerOf(name)))) rmSync(join(folder, name), { force: true });
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder).filter(name => name.endsWith('.sock'));
  } catch {
    return [];
  }
}

/** Without the number and the ending. */
function ownerOf(name: string): string {
  return name.split('.').slice(0, 4).join('.');
}
