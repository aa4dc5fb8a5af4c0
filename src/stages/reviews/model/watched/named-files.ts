import type { Check } from '../../../../../contract/projects.ts';
import { makefileNames, readMakefile } from '../ecosystems/makefile.ts';
import type { MakeRule } from '../ecosystems/makefile.ts';
import { readPackageJson, scriptsOf } from '../ecosystems/package-json.ts';
import { normalPath } from './places.ts';

const textsMax = 500;

/**
 * Tells of a path whether the checks name it as a file that they run: in their commands, and in the scripts of package.json and
 * the recipes of the Makefile that the commands lead to. `files`: texts at the base commit.
 */
export function filesNamedBy(checks: readonly Check[], files: ReadonlyMap<string, string>): (path: string) => boolean {
  const named = new Set<string>();
  for (const { words, isRecipe } of reachableTexts(checks, files)) {
    words.forEach((word, i) => {
      // A recipe names what it builds as well; only what looks like a program is one here.
      if (!isRecipe || /^\.\/|\.(?:sh|bash|py|rb|pl|[cm]?[jt]s)$/.test(word))
        for (const path of pathsOf(word, isProgram(words, i))) named.add(path);
    });
  }
  return path => named.has(normalPath(path));
}

interface Words {
  readonly words: readonly string[];
  readonly isRecipe: boolean;
}

/** Any word that is the name of a script or a target leads there: `npm run lint`, `run-s lint unit:*`, `make check`. */
function reachableTexts(checks: readonly Check[], files: ReadonlyMap<string, string>): Words[] {
  const scripts = scriptsOf(readPackageJson(files.get('package.json') ?? '') ?? {});
  const makefile = makefileNames.map(name => files.get(name)).find(text => text !== undefined);
  const rules = readMakefile(makefile ?? '');
  const texts: Words[] = checks.map(({ command }) => ({ words: command.flatMap(wordsOf), isRecipe: false }));
  const seen = new Set<string>();
  // The list grows while it is walked.
  for (const { words } of texts) {
    for (const word of words) {
      if (seen.has(word) || texts.length > textsMax) continue;
      seen.add(word);
      texts.push(...scriptTexts(scripts, word), ...ruleTexts(rules.get(word)));
    }
  }
  return texts;
}

/** With those that npm runs before and after. `unit:*` is a pattern of npm-run-all. */
function scriptTexts(scripts: ReadonlyMap<string, string>, word: string): Words[] {
  const star = word.indexOf('*');
  const isMeant = (name: string) =>
    star > 0 ? name.startsWith(word.slice(0, star)) : [word, `pre${word}`, `post${word}`].includes(name);
  return [...scripts].filter(([name]) => isMeant(name)).map(([, text]) => ({ words: wordsOf(text), isRecipe: false }));
}

function ruleTexts(rule: MakeRule | undefined): Words[] {
  if (rule === undefined) return [];
  return [...rule.recipe.map(wordsOf), rule.needs].map(words => ({ words, isRecipe: true }));
}

function wordsOf(text: string): string[] {
  return text.split(/[\s;&|()<>`"'$={}\\]+/).filter(word => word !== '');
}

/** Whether an interpreter reads this word as the program to run: the first after it that is no option. */
function isProgram(words: readonly string[], at: number): boolean {
  const before = words.slice(Math.max(0, at - optionsMax), at).findLast(word => !word.startsWith('-'));
  return before !== undefined && /^(?:.*\/)?(?:node|deno|bun|tsx|ts-node|sh|bash|python[\d.]*)$/.test(before);
}

const optionsMax = 20;

/** What a word may stand for: node finds `run` in run.js and run/index.js, python -m finds ci.check in ci/check.py. */
function pathsOf(word: string, isProgram: boolean): string[] {
  const path = normalPath(word);
  if (path === '') return [];
  if (!isProgram && !/[./]/.test(word)) return [path];
  const bare = path.replace(/\.[cm]?[jt]s$/, '');
  const ends = ['.js', '.cjs', '.mjs', '.ts', '.cts', '.mts'];
  const module = path.replaceAll('.', '/');
  return [
    ...[path, bare],
    ...ends.flatMap(end => [bare + end, `${path}/index${end}`]),
    ...['.py', '/__init__.py', '/__main__.py'].map(end => module + end),
  ];
}
