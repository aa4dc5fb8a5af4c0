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

interface Wanted {
  /** Paths, or `*`, `**` and `?` for paths. */
  readonly patterns: readonly string[];
  /** A path that is shown in another way. */
  readonly without: string;
}

/** Reads what `patterns` name below `root`. */
export function shownOf(root: string, { patterns, without }: Wanted): Shown {
  const left: string[] = [];
  const paths = new Set<string>();
  for (const pattern of patterns) {
    const { found, isCut } = filesOf(root, pattern);
    if (isCut)
      left.push(`${pattern}: the repository has more than ${listMax.pathsMax} files, of which the rest was not looked at`);
    else if (found.length === 0)
      left.push(`${pattern}: no file of the repository, outside folders such as node_modules and dist`);
    for (const path of found) paths.add(path);
  }
  paths.delete(without);
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
    if (Buffer.byteLength(text) > room) left.push(`${path}: all but its first ${room} bytes`);
    bytes += Buffer.byteLength(text);
    files.push({ path, text });
  }
  return { files, left };
}

function filesOf(root: string, pattern: string): { readonly found: readonly string[]; readonly isCut: boolean } {
  if (!/[*?]/.test(pattern)) return { found: isPlainFile(root, pattern) ? [pattern] : [], isCut: false };
  const isMatch = matcher(pattern);
  const { paths, isCut } = listPaths(root, listMax);
  return { found: paths.filter(path => isMatch.test(path)), isCut };
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
