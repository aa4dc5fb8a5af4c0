import { readdirSync } from 'node:fs';
import type { Dirent } from 'node:fs';
import { join } from 'node:path';

const passedOver: ReadonlySet<string> = new Set([
  ...['.git', 'node_modules', 'vendor', 'dist', 'build', 'target', 'out', 'coverage', '.venv', 'venv', '__pycache__', '.cache'],
  ...['.next', '.idea', '.gradle', '.terraform', 'Pods'],
]);

interface Max {
  readonly pathsMax: number;
  /** Of the paths as text. */
  readonly bytesMax: number;
}

/** The files below `root`, folder by folder, those that are near first. No link is followed. What cannot be read is passed over. */
export function listPaths(root: string, { pathsMax, bytesMax }: Max): { paths: string[]; isCut: boolean } {
  const paths: string[] = [];
  let bytes = 0;
  const folders = [''];
  // What is appended on the way is walked too.
  for (const folder of folders) {
    for (const entry of entriesOf(join(root, folder))) {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory() && !passedOver.has(entry.name) && folders.length < pathsMax) folders.push(path);
      if (!entry.isFile()) continue;
      bytes += Buffer.byteLength(path) + 1;
      if (paths.length === pathsMax || bytes > bytesMax) return { paths, isCut: true };
      paths.push(path);
    }
  }
  return { paths, isCut: false };
}

function entriesOf(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch {
    return [];
  }
}
