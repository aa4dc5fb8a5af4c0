import { join } from 'node:path';
import { listPaths } from '../looking/list.ts';
import { isPlainFile } from '../looking/place.ts';
import { readText } from '../looking/read.ts';

/** What a model is shown of a repository. */
export interface Shown {
  readonly files: readonly { readonly path: string; readonly text: string }[];
  /** What was asked for and is not shown, each with the reason. */
  readonly left: readonly string[];
}

const listMax = { pathsMax: 20_000, bytesMax: 2_097_152 };
const filesMax = 100;
const fileBytesMax = 65_536;
/** In all. */
const bytesMax = 262_144;

/** Reads what `patterns` name below `root`: paths, or `*`, `**` and `?` for paths. */
export function shownOf(root: string, patterns: readonly string[]): Shown {
  const left: string[] = [];
  const paths = new Set<string>();
  for (const pattern of patterns) {
    const found = filesOf(root, pattern);
    if (found.length === 0) left.push(`${pattern}: no file of the repository`);
    for (const path of found) paths.add(path);
  }
  const files: { path: string; text: string }[] = [];
  let bytes = 0;
  for (const path of paths) {
    const room = Math.min(fileBytesMax, bytesMax - bytes);
    if (files.length === filesMax || room <= 0) {
      left.push(`${path}: ${filesMax} files or ${bytesMax} bytes are shown already`);
      continue;
    }
    const text = readText(join(root, path), room);
    if (text === undefined) {
      left.push(`${path}: no text`);
      continue;
    }
    bytes += Buffer.byteLength(text);
    files.push({ path, text });
  }
  return { files, left };
}

function filesOf(root: string, pattern: string): readonly string[] {
  if (!/[*?]/.test(pattern)) return isPlainFile(root, pattern) ? [pattern] : [];
  const isMatch = matcher(pattern);
  return listPaths(root, listMax).paths.filter(path => isMatch.test(path));
}

/** `**` stands for any folders, none among them; `*` and `?` for what has no slash. */
function matcher(pattern: string): RegExp {
  const source = pattern.replace(/\*\*\/|\*\*|\*|\?|[\\^$.|+()[\]{}]/g, token => {
    if (token === '**/') return '(?:[^/]+/)*';
    if (token === '**') return '.*';
    if (token === '*') return '[^/]*';
    return token === '?' ? '[^/]' : `\\${token}`;
  });
  return new RegExp(`^${source}$`, 's');
}
