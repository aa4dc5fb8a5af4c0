import type { CommitFiles, Detected } from './commit.ts';

const commandsMax = 3;
const testFilesReadMax = 20;
const folderCharactersMax = 120;
const configuring = ['pytest.ini', '.pytest.ini', 'pyproject.toml', 'setup.cfg', 'tox.ini'];
const requiring = ['requirements.txt', 'requirements-dev.txt', 'requirements-test.txt', 'dev-requirements.txt', 'Pipfile'];

/** Where pytest may be configured or asked for, and some of the tests: whose they are is seen in what they import. */
export function pythonFilesToRead(files: ReadonlySet<string>): string[] {
  const named = [...configuring, ...requiring].filter(path => files.has(path));
  return [...named, ...testFilesOf(files).slice(0, testFilesReadMax)];
}

/** pytest where the project uses it, else the unittest that comes with Python where there are tests. */
export function detectPython({ files, read }: CommitFiles): Detected {
  const tests = testFilesOf(files);
  const text = (path: string) => (files.has(path) ? (read.get(path) ?? '') : '');
  const configured = isPytestConfigured(files, text);
  if (tests.length === 0) {
    const named = configured && configuring.some(path => /python_files|doctest/.test(text(path)));
    if (named) return { checks: [pytest], notes: [] };
    // pytest fails where it finds no test.
    return { checks: [], notes: configured ? ['pytest is configured, but there are no tests for it'] : [] };
  }
  if (configured || requiring.some(path => /^\s*"?pytest\b/im.test(text(path))) || tests.some(path => isForPytest(text(path))))
    return { checks: [pytest], notes: [] };
  return detectUnittest(files, tests);
}

const pytest = { name: 'python3 -m pytest', command: ['python3', '-m', 'pytest'] };

function isPytestConfigured(files: ReadonlySet<string>, text: (path: string) => string): boolean {
  return (
    ['pytest.ini', '.pytest.ini', 'conftest.py', 'test/conftest.py', 'tests/conftest.py'].some(path => files.has(path)) ||
    // Also as a dependency: `"pytest>=8"` of a list, or `pytest = "^8"` of poetry.
    /^\s*\[tool\.pytest[.\]]|["']pytest["'\s<>=~!;,[]|^\s*pytest\s*=/m.test(text('pyproject.toml')) ||
    /^\s*\[tool:pytest\]/m.test(text('setup.cfg')) ||
    /^\s*\[pytest\]/m.test(text('tox.ini'))
  );
}

/** Functions beside no TestCase are collected by pytest alone: unittest would find nothing, and be green. */
function isForPytest(text: string): boolean {
  if (/^\s*(?:import|from)\s+pytest\b/m.test(text)) return true;
  return /^(?:async\s+)?def\s+test/m.test(text) && !/^\s*(?:import|from)\s+(?:unittest|django)\b/m.test(text);
}

/** Test files by name, but not those that came with an environment. In the order of their paths. */
function testFilesOf(files: ReadonlySet<string>): string[] {
  return [...files].filter(path => testFile.test(path) && !foreign.test(path)).sort();
}

const testFile = /(?:^|\/)(?:test_[^/]*|[^/]*_test)\.py$/;
const foreign = /(?:^|\/)(?:node_modules|vendor|third_party|site-packages|\.?venv|\.tox|\.nox|build|dist)\//;

/**
 * Discovery goes down only into packages. So it is started at the folder where the packages above a test begin: the root for
 * tests in packages, `tests` for a folder without `__init__.py`.
 */
function detectUnittest(files: ReadonlySet<string>, tests: readonly string[]): Detected {
  const commands = new Map<string, string[]>();
  for (const path of tests) {
    const start = discoveryStart(files, path);
    if (start.length > folderCharactersMax || !/^(?:|(?:tests?|src)(?:\/[\w./-]*)?)$/.test(start)) continue;
    const ofPattern = /(?:^|\/)test_[^/]*$/.test(path) ? [] : ['-p', '*_test.py'];
    const command = ['python3', '-m', 'unittest', 'discover', ...(start === '' ? [] : ['-s', start]), ...ofPattern];
    commands.set(command.join(' '), command);
  }
  const checks = [...commands].map(([name, command]) => ({ name, command }));
  const notes = checks.length === 0 ? ['there are Python tests, but neither at the root nor in a folder tests'] : [];
  if (checks.length > commandsMax) notes.push(`Python tests lie in ${checks.length} places, the first ${commandsMax} are run`);
  return { checks: checks.slice(0, commandsMax), notes };
}

function discoveryStart(files: ReadonlySet<string>, path: string): string {
  let folder = parentOf(path);
  while (folder !== '' && files.has(`${folder}/__init__.py`)) folder = parentOf(folder);
  return folder;
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}
