import { posix } from 'node:path';
import type { Finding, Source } from '../finding.ts';

const LINK = /\]\(<?([^)\s>]+)>?(?:\s+"[^"]*")?\)|^\[[^\]]+\]:\s+(\S+)/g;

/** Links of Markdown files to files of the repository, and to headings in them. `paths` are all files there are. */
export function checkLinks(documents: readonly Source[], paths: readonly string[]): Finding[] {
  const known = withFolders(paths);
  const headings = new Map(documents.map(({ path, text }) => [path, headingsOf(text)]));
  return documents.flatMap(({ path, text }) =>
    linksOf(text).flatMap(({ line, target }) => {
      const [file = '', anchor] = target.split('#');
      const to = file === '' ? path : posix.join(posix.dirname(path), decodeURI(file)).replace(/\/$/, '');
      if (!known.has(to)) return [{ path, line, says: `${target}: there is no ${to}` }];
      const isDead = anchor !== undefined && headings.get(to)?.has(anchor) === false;
      return isDead ? [{ path, line, says: `${target}: there is no such heading in ${to}` }] : [];
    }),
  );
}

function linksOf(text: string): { line: number; target: string }[] {
  return proseLines(text).flatMap((prose, i) =>
    [...prose.replaceAll(/`[^`]*`/g, '').matchAll(LINK)]
      .map(match => match[1] ?? match[2] ?? '')
      .filter(target => !/^([a-z]+:|\/\/)/i.test(target))
      .map(target => ({ line: i + 1, target })),
  );
}

/** Anchors as GitHub makes them: lower case, spaces to dashes, marks gone. */
function headingsOf(text: string): Set<string> {
  const titles = proseLines(text).filter(line => /^#{1,6} /.test(line));
  return new Set(titles.map(title => slug(title.replace(/^#+ /, ''))));
}

function slug(title: string): string {
  return title
    .trim()
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');
}

/** The lines with fenced code blanked. */
function proseLines(text: string): string[] {
  let fenced = false;
  return text.split('\n').map(line => {
    const isFence = /^\s*(```|~~~)/.test(line);
    if (isFence) fenced = !fenced;
    return fenced || isFence ? '' : line;
  });
}

function withFolders(paths: readonly string[]): Set<string> {
  const known = new Set<string>(['.', ...paths]);
  for (const path of paths)
    for (let folder = posix.dirname(path); folder !== '.'; folder = posix.dirname(folder)) known.add(folder);
  return known;
}
