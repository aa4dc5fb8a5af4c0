import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { isDead } from '../../src/kernel/processes/owner.ts';

/** Removes a folder of which a worker may have been killed: what it had mounted is still there. */
export function removeTree(folder: string): void {
  for (const place of mountsIn(folder)) execFileSync('umount', ['--lazy', place]);
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}

/** The sandboxes of runs in the folder of a worker, and what dead ones have left, without the empty disks that are copied for new ones. */
export function sandboxesIn(folder: string): string[] {
  return readdirSync(folder).filter(name => name !== 'disks' && !isKept(name));
}

/** What a worker has ready for later, or keeps to begin others with, for as long as it lives, and what one has left to the next. */
export function isKept(name: string): boolean {
  if (name.startsWith('kept.')) return true;
  return (isReady(name) || name.startsWith('snapshot.')) && !isDead(name.split('~')[1] ?? '');
}

/** An empty disk, or a sandbox, that nobody has asked for yet. */
export function isReady(name: string): boolean {
  return /^(ready|_)[.]/.test(name);
}

/** Loop devices whose file lies, or lay, in this folder. */
export function loopsOf(folder: string): string[] {
  return readdirSync('/sys/block')
    .filter(name => name.startsWith('loop'))
    .filter(name => backingFile(name).startsWith(`${folder}/`));
}

/** Places in this folder where something is mounted, the innermost first. */
export function mountsIn(folder: string): string[] {
  const places = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map(line => decoded(line.split(' ')[4] ?? ''));
  return places.filter(place => place.startsWith(`${folder}/`)).toReversed();
}

/** The kernel writes a space as \\040. */
function decoded(place: string): string {
  return place.replaceAll(/\\(\d{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}

function backingFile(loop: string): string {
  try {
    return readFileSync(`/sys/block/${loop}/loop/backing_file`, 'utf8');
  } catch {
    return '';
  }
}
