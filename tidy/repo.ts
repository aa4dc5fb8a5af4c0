import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Source } from './checks/finding.ts';

export const root = join(import.meta.dirname, '..');

const NOT_OURS = new Set(['.git', 'node_modules', 'dist', '.cache']);

/** Paths of all files of the repository, those not yet added too; what .gitignore names is left out. */
export const paths: readonly string[] = (listedByGit() ?? [...walk('')]).filter(isFile).sort();

/** The files that match. None at all is an error: a check that looks at nothing finds nothing. */
export function sources(pattern: RegExp): Source[] {
  const found = paths.filter(path => pattern.test(path));
  if (found.length === 0) throw new Error(`no file matches ${String(pattern)}`);
  return found.map(path => ({ path, text: read(path) }));
}

/** The text of one file; empty when there is none. */
export function read(path: string): string {
  return paths.includes(path) ? readFileSync(join(root, path), 'utf8') : '';
}

export function sizes(): { readonly path: string; readonly bytes: number }[] {
  return paths.map(path => ({ path, bytes: statSync(join(root, path)).size }));
}

function listedByGit(): string[] | undefined {
  try {
    const argv = ['ls-files', '--cached', '--others', '--exclude-standard', '-z'];
    const listed = execFileSync('git', argv, { cwd: root, encoding: 'utf8', stdio: 'pipe', maxBuffer: 1 << 26 }).split('\0');
    // Unpacked inside somebody else's repository git answers about that one.
    return listed.includes('package.json') ? listed : undefined;
  } catch {
    return undefined;
  }
}

function* walk(folder: string): Generator<string> {
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
    if (NOT_OURS.has(entry.name)) continue;
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory()) yield* walk(path);
    else yield path;
  }
}

function isFile(path: string): boolean {
  return path !== '' && (statSync(join(root, path), { throwIfNoEntry: false })?.isFile() ?? false);
}
