import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { join } from 'node:path';

/**
 * All that a person could notice of a repository: one line for each path of the work tree and of `.git` but its objects, sorted, with
 * kind, mode and, for files and links, size, time of change in nanoseconds, and content. Equal before and after means: not touched.
 *
 * `except` names the refs that may come or change, such as `refs/heads/skep/a`; neither they nor their logs are listed. A folder of
 * `.git` is listed without its time, as git makes and removes files in it by itself. Nothing but regular files is opened.
 */
export function snapshotTree(folder: string, except: readonly string[] = []): string[] {
  const skipped = new Set(['.git/objects', ...except.flatMap(ref => [`.git/${ref}`, `.git/logs/${ref}`])]);
  // The folders above such a ref may come with it.
  const optional = new Set([...skipped].flatMap(parents));
  const lines: string[] = [];
  // Names are bytes: latin1 keeps each of them.
  const walk = (path: string): void => {
    if (skipped.has(path)) return;
    const place = Buffer.from(join(Buffer.from(folder).toString('latin1'), path), 'latin1');
    const stat = lstatSync(place, { bigint: true });
    if (!(stat.isDirectory() && optional.has(path))) lines.push(describe(path, place, stat));
    if (stat.isDirectory()) for (const name of readdirSync(place, 'latin1')) walk(join(path, name));
  };
  walk('.');
  return lines.sort();
}

function describe(path: string, place: Buffer, stat: BigIntStats): string {
  const mode = stat.mode.toString(8);
  const inGit = path === '.git' || path.startsWith('.git/');
  if (stat.isDirectory()) return inGit ? `${path} ${mode}` : `${path} ${mode} ${stat.mtimeNs}`;
  return `${path} ${mode} ${stat.size} ${stat.mtimeNs} ${content(place, stat)}`;
}

function content(place: Buffer, stat: BigIntStats): string {
  if (stat.isSymbolicLink()) return readlinkSync(place, 'latin1');
  return stat.isFile() ? createHash('sha256').update(readFileSync(place)).digest('hex') : '-';
}

function parents(path: string): string[] {
  const parts = path.split('/');
  return parts.slice(0, -1).map((_, i) => parts.slice(0, i + 1).join('/'));
}
