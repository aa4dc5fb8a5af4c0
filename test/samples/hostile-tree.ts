import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** U+3000, which looks like a blank and is none to a shell. */
const WIDE = '\u3000';

/** Names of files that are options, commands or nothing at all to whoever joins them into a command line. */
const names = [
  '-x',
  '--upload-pack=touch',
  '--output=canary',
  '`touch canary`',
  '$(touch canary)',
  'a;touch canary',
  'two\nlines',
  'tab\tand "quotes"',
  `wide${WIDE}blank`,
  'r\u0301e\u0301sume\u0301',
  '\u001b[31mred',
  ':(exclude)a',
  'HEAD',
  'n'.repeat(255),
  join('d'.repeat(200), 'e'.repeat(200), 'f'.repeat(200), 'deep.txt'),
];

/** Writes the files that will be committed. */
export function trackedFiles(
  folder: string,
  { badBytes, update }: { readonly badBytes: boolean; readonly update: string },
): void {
  const files: Readonly<Record<string, string>> = {
    ...Object.fromEntries(names.map(name => [name, 'unkind\n'])),
    'README.md': '# Hostile\n',
    'promised.txt': 'promised\n',
    'secret.evil': 'to be filtered\n',
    '.gitattributes': '*.evil filter=evil diff=evil merge=evil\n',
    '.gitmodules': `[submodule "module"]\n\tpath = module\n\turl = ./\n\tupdate = ${update}\n`,
    // Its checks pass: an honest build of it can go on.
    'package.json': '{ "name": "hostile", "version": "1.0.0", "scripts": { "test": "node test.js" } }\n',
    'test.js': "require('node:assert').ok(true);\n",
  };
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  if (badBytes) writeFileSync(Buffer.concat([Buffer.from(`${folder}/bad-`), Buffer.from([0xff, 0xfe])]), 'no text\n');
}

/** Links out of the work tree, into `.git`, to nothing and to themselves. */
export function trackedLinks(folder: string): void {
  const links = {
    'to-passwd': '/etc/passwd',
    'to-above': '../..',
    'to-git': '.git',
    'to-config': '.git/config',
    dangling: 'nowhere',
    loop: 'loop',
    'loop-a': 'loop-b',
    'loop-b': 'loop-a',
  };
  for (const [name, target] of Object.entries(links)) symlinkSync(target, join(folder, name));
}

/** Branches and tags that are options and commands. Git itself refuses to make some of them and reads them all. */
const refs = [
  'refs/heads/-x',
  'refs/heads/--upload-pack=touch',
  'refs/heads/`touch`',
  'refs/heads/$(touch)',
  'refs/heads/;touch;',
  `refs/heads/wide${WIDE}blank`,
  'refs/heads/HEAD',
  'refs/heads/refs/tags/-d',
  'refs/tags/main',
  'refs/tags/-d',
];

/** Against the rules of git for names of refs. */
export const brokenRefs = [
  'refs/heads/a..b',
  'refs/heads/a.lock',
  'refs/heads/with blank',
  'refs/heads/../../config',
  'refs/heads/a@{1}',
];

interface Names {
  readonly commit: string;
  readonly branch: string;
  /** Refs beside the usual ones. */
  readonly more: readonly string[];
}

/** Writes refs into `packed-refs` by hand, and makes `branch` the current one. */
export function plantNames(folder: string, { commit, branch, more }: Names): void {
  const all = [...refs, ...more].filter(ref => ref !== `refs/heads/${branch}`);
  const lines = all.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))).map(ref => `${commit} ${ref}\n`);
  writeFileSync(join(folder, '.git/packed-refs'), `# pack-refs with: peeled fully-peeled sorted \n${lines.join('')}`);
  const path = join(folder, '.git/refs/heads', branch);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `${commit}\n`);
  writeFileSync(join(folder, '.git/HEAD'), `ref: refs/heads/${branch}\n`);
}
