import { describe, expect, it } from 'vitest';
import { show } from './checks/finding.ts';
import { checkBlobSize, checkDocumentLength, checkFileLength, checkFolderSize } from './checks/size.ts';
import { paths, sizes, sources } from './repo.ts';

const lines = (count: number) => 'x\n'.repeat(count);

describe('sizes', () => {
  it('refuses a long file, and lets a list of statements be longer', () => {
    const long = [
      { path: 'src/a.ts', text: lines(401) },
      { path: 'src/b.ts', text: lines(400) },
      { path: 'src/c.sql.ts', text: lines(600) },
      { path: 'src/d.sql.ts', text: lines(601) },
    ];
    expect(show(checkFileLength(long))).toEqual([
      'src/a.ts:401 401 lines, at most 400: it is about two things, split it by meaning',
      'src/d.sql.ts:601 601 lines, at most 600: it is about two things, split it by meaning',
    ]);
  });

  it('refuses a long AGENTS.md', () => {
    const documents = [
      { path: 'AGENTS.md', text: lines(121) },
      { path: 'docs/guide.md', text: lines(999) },
    ];
    expect(show(checkDocumentLength(documents))).toEqual(['AGENTS.md:121 more than 120 lines: move detail to docs/']);
  });

  it('refuses a full folder, tests and migrations not counted', () => {
    const fill = (folder: string, count: number, end: string) => Array.from({ length: count }, (_, i) => `${folder}/f${i}${end}`);
    const full = [
      ...fill('src/a', 15, '.ts'),
      ...fill('src/b', 14, '.ts'),
      ...fill('src/b', 14, '.test.ts'),
      ...fill('src/db/migrations', 15, '.sql'),
    ];
    expect(show(checkFolderSize(full))).toEqual(['src/a:0 15 files in a folder, at most 14: find the two ideas in it']);
  });

  it('refuses a large blob but the lockfile', () => {
    const files = [
      { path: 'docs/film.gif', bytes: 200_001 },
      { path: 'package-lock.json', bytes: 900_000 },
    ];
    expect(show(checkBlobSize(files))).toEqual([
      'docs/film.gif:0 200001 bytes, at most 200000: make it when it is needed, or fetch it',
    ]);
  });

  it('finds nothing here', () => {
    const code = sources(/[.](ts|tsx|mjs|cjs|css|sql|sh)$|^bin\//);
    const documents = paths.some(path => path.endsWith('.md')) ? sources(/[.]md$/) : [];
    expect(
      show([...checkFileLength(code), ...checkDocumentLength(documents), ...checkFolderSize(paths), ...checkBlobSize(sizes())]),
    ).toEqual([]);
  });
});
