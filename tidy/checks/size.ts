import { isTest } from './finding.ts';
import type { Finding, Source } from './finding.ts';

const FILE_LINES_MAX = 400;
const LISTING_LINES_MAX = 600;
const FOLDER_FILES_MAX = 14;
const BLOB_BYTES_MAX = 200_000;
const DOCUMENT_LINES_MAX: Readonly<Record<string, number>> = { 'AGENTS.md': 120, 'STYLE.md': 250, 'README.md': 250 };

const isGenerated = (path: string) => /[.]gen[.]ts$|(^|\/)schema[.]sql$/.test(path);
const lineCount = (text: string) => text.trimEnd().split('\n').length;

/** A file that is read in one go. In statements things are looked up, so they may be more; what is generated nobody can split. */
export function checkFileLength(sources: readonly Source[]): Finding[] {
  return sources.flatMap(({ path, text }) => {
    if (isGenerated(path)) return [];
    const max = /[.]sql[.]ts$/.test(path) ? LISTING_LINES_MAX : FILE_LINES_MAX;
    const lines = lineCount(text);
    return lines > max
      ? [{ path, line: max + 1, says: `${lines} lines, at most ${max}: it is about two things, split it by meaning` }]
      : [];
  });
}

/** Documents that must be read before work begins stay short enough to be read. */
export function checkDocumentLength(sources: readonly Source[]): Finding[] {
  return sources.flatMap(({ path, text }) => {
    const max = DOCUMENT_LINES_MAX[path] ?? Infinity;
    return lineCount(text) > max ? [{ path, line: max + 1, says: `more than ${max} lines: move detail to docs/` }] : [];
  });
}

/** Tests, generated files, migrations and kept measurements don't count: they follow the number of other things. */
export function checkFolderSize(paths: readonly string[]): Finding[] {
  const counts = new Map<string, number>();
  for (const path of paths) {
    const folder = path.slice(0, Math.max(path.lastIndexOf('/'), 0));
    if (folder === '' || isTest(path) || isGenerated(path) || /[/](migrations|results)$/.test(folder)) continue;
    counts.set(folder, (counts.get(folder) ?? 0) + 1);
  }
  return [...counts].flatMap(([path, count]) =>
    count > FOLDER_FILES_MAX
      ? [{ path, line: 0, says: `${count} files in a folder, at most ${FOLDER_FILES_MAX}: find the two ideas in it` }]
      : [],
  );
}

/** A repository keeps what it once held; the lockfile is the one large text that belongs in it. */
export function checkBlobSize(files: readonly { readonly path: string; readonly bytes: number }[]): Finding[] {
  return files.flatMap(({ path, bytes }) =>
    bytes > BLOB_BYTES_MAX && path !== 'package-lock.json'
      ? [{ path, line: 0, says: `${bytes} bytes, at most ${BLOB_BYTES_MAX}: make it when it is needed, or fetch it` }]
      : [],
  );
}
