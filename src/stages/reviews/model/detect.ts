import type { Check } from '../../../../contract/projects.ts';
import type { CommitFiles, Detected } from './ecosystems/commit.ts';
import { makefileNames, readMakefile } from './ecosystems/makefile.ts';
import { readPackageJson, scriptsOf } from './ecosystems/package-json.ts';
import { detectPython, pythonFilesToRead } from './ecosystems/python.ts';

const checksMax = 5;

/** Which of the files `detectChecks` wants to read; paths from the root of the repository. */
export function filesToRead(files: Iterable<string>): string[] {
  const all = new Set(files);
  return ['package.json', ...makefileNames].filter(path => all.has(path)).concat(pythonFilesToRead(all));
}

/**
 * The checks that a project has of its own, found by what lies at its root: at most 5, one or a few for each ecosystem. A Makefile
 * is asked only where nothing else is found, since its `test` most often runs the same tests again.
 */
export function detectChecks(files: Iterable<string>, read: ReadonlyMap<string, string>): Detected {
  const commit: CommitFiles = { files: new Set(files), read };
  const found = [detectNode, detectPython, detectGo, detectRust, detectJava].map(detect => detect(commit));
  const all = found.some(({ checks }) => checks.length > 0) ? found : [...found, detectMake(commit)];
  const checks = all.flatMap(one => one.checks);
  const notes = all.flatMap(one => one.notes);
  if (checks.length > checksMax) notes.push(`${checks.length} checks were found, the first ${checksMax} are used`);
  return { checks: checks.slice(0, checksMax), notes };
}

/** A check whose name is its command, so that names differ where commands do. */
function checkOf(...command: string[]): Check {
  return { name: command.join(' '), command };
}

function detectNode({ files, read }: CommitFiles): Detected {
  if (!files.has('package.json')) return nothing();
  const fields = readPackageJson(read.get('package.json') ?? '');
  if (fields === undefined) return nothing('package.json is not a JSON object');
  const script = scriptsOf(fields).get('test')?.trim() ?? '';
  if (script === '') return nothing('package.json has no test script');
  if (script.includes('Error: no test specified'))
    return nothing('the test script of package.json is the one that npm init writes: it only fails');
  if (files.has('pnpm-lock.yaml')) return { checks: [checkOf('pnpm', 'test')], notes: [] };
  if (files.has('yarn.lock')) return { checks: [checkOf('yarn', 'test')], notes: [] };
  // `bun test` is bun's own runner; the script is what the project means.
  if (files.has('bun.lock') || files.has('bun.lockb')) return { checks: [checkOf('bun', 'run', 'test')], notes: [] };
  return { checks: [checkOf('npm', 'test')], notes: [] };
}

function detectGo({ files }: CommitFiles): Detected {
  return files.has('go.mod') ? { checks: [checkOf('go', 'test', './...')], notes: [] } : nothing();
}

function detectRust({ files }: CommitFiles): Detected {
  return files.has('Cargo.toml') ? { checks: [checkOf('cargo', 'test')], notes: [] } : nothing();
}

/** One check: a project with files of both Maven and Gradle has the same tests in both. */
function detectJava({ files }: CommitFiles): Detected {
  if (files.has('pom.xml')) return { checks: [checkOf(files.has('mvnw') ? './mvnw' : 'mvn', '-q', 'test')], notes: [] };
  if (files.has('build.gradle') || files.has('build.gradle.kts'))
    return { checks: [checkOf(files.has('gradlew') ? './gradlew' : 'gradle', 'test')], notes: [] };
  return nothing();
}

function detectMake({ files, read }: CommitFiles): Detected {
  const name = makefileNames.find(each => files.has(each));
  if (name === undefined) return nothing();
  const rules = readMakefile(read.get(name) ?? '');
  const target = ['test', 'check'].find(each => rules.has(each));
  return target === undefined
    ? nothing(`${name} has neither a target test nor a target check`)
    : { checks: [checkOf('make', target)], notes: [] };
}

function nothing(...notes: string[]): Detected {
  return { checks: [], notes };
}
