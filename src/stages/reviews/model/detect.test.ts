import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { detectChecks, filesToRead } from './detect.ts';

/** Files with their texts, as the caller meets them: only what was asked for is read. */
function detect(texts: Readonly<Record<string, string>>) {
  const paths = Object.keys(texts);
  const read = new Map(filesToRead(paths).map(path => [path, texts[path] ?? '']));
  const { checks, notes } = detectChecks(paths, read);
  return { commands: checks.map(({ command }) => command.join(' ')), notes, names: checks.map(({ name }) => name) };
}

const packageJson = (test: unknown) => JSON.stringify({ name: 'a', scripts: { test } });
const inUnittest = 'import unittest\nclass T(unittest.TestCase):\n    def test_a(self): pass\n';

describe('detectChecks', () => {
  it.each([
    ['npm', { 'package.json': packageJson('node --test') }, ['npm test']],
    ['a byte order mark', { 'package.json': `\ufeff${packageJson('node --test')}` }, ['npm test']],
    ['pnpm', { 'package.json': packageJson('vitest run'), 'pnpm-lock.yaml': '' }, ['pnpm test']],
    ['yarn', { 'package.json': packageJson('jest'), 'yarn.lock': '' }, ['yarn test']],
    ['bun', { 'package.json': packageJson('jest'), 'bun.lock': '' }, ['bun run test']],
    ['bun of old', { 'package.json': packageJson('jest'), 'bun.lockb': '' }, ['bun run test']],
    ['go', { 'go.mod': '' }, ['go test ./...']],
    ['cargo', { 'Cargo.toml': '' }, ['cargo test']],
    ['maven', { 'pom.xml': '', 'build.gradle': '' }, ['mvn -q test']],
    ['the wrapper of maven', { 'pom.xml': '', mvnw: '' }, ['./mvnw -q test']],
    ['gradle', { 'build.gradle.kts': '' }, ['gradle test']],
    ['the wrapper of gradle', { 'build.gradle': '', gradlew: '' }, ['./gradlew test']],
    ['make test', { Makefile: 'check:\n\tfalse\nall test: a\n\ttrue\n' }, ['make test']],
    ['make check', { makefile: '.PHONY: test\ncheck::\n\t./run.sh\n' }, ['make check']],
    ['the makefile that make reads', { GNUmakefile: 'check:\n', Makefile: 'test:\n' }, ['make check']],
    ['pytest.ini', { 'pytest.ini': '', 'tests/test_a.py': inUnittest }, ['python3 -m pytest']],
    ['pyproject.toml', { 'pyproject.toml': '[tool.pytest.ini_options]\n', 'tests/test_a.py': inUnittest }, ['python3 -m pytest']],
    ['a dependency', { 'pyproject.toml': 'test = ["pytest>=8"]\n', 'tests/test_a.py': inUnittest }, ['python3 -m pytest']],
    ['setup.cfg', { 'setup.cfg': '[tool:pytest]\n', 'a_test.py': inUnittest }, ['python3 -m pytest']],
    ['tox.ini', { 'tox.ini': '[pytest]\n', 'a_test.py': inUnittest }, ['python3 -m pytest']],
    ['conftest.py', { 'tests/conftest.py': '', 'tests/test_a.py': inUnittest }, ['python3 -m pytest']],
    ['requirements', { 'requirements-dev.txt': 'ruff\npytest==8.0\n', 'test_a.py': inUnittest }, ['python3 -m pytest']],
    ['a test that imports pytest', { 'test_a.py': 'import pytest\n' }, ['python3 -m pytest']],
    ['tests that are functions', { 'tests/test_a.py': 'def test_a():\n    assert True\n' }, ['python3 -m pytest']],
    ['unittest at the root', { 'test_a.py': inUnittest }, ['python3 -m unittest discover']],
    ['unittest in a package', { 'tests/__init__.py': '', 'tests/test_a.py': inUnittest }, ['python3 -m unittest discover']],
    ['unittest in a folder', { 'tests/test_a.py': inUnittest }, ['python3 -m unittest discover -s tests']],
    ['unittest deeper', { 'test/unit/test_a.py': inUnittest }, ['python3 -m unittest discover -s test/unit']],
    ['the other pattern', { 'sum_test.py': inUnittest }, ['python3 -m unittest discover -p *_test.py']],
    [
      'both patterns, in two places',
      { 'test_a.py': inUnittest, 'tests/a_test.py': inUnittest },
      ['python3 -m unittest discover', 'python3 -m unittest discover -s tests -p *_test.py'],
    ],
  ])('finds %s', (_, texts, commands) => {
    expect(detect(texts)).toEqual({ commands, notes: [], names: commands });
  });

  it.each([
    [{ 'package.json': '{' }, 'package.json is not a JSON object'],
    [{ 'package.json': '[]' }, 'package.json is not a JSON object'],
    [{ 'package.json': '{}' }, 'package.json has no test script'],
    [{ 'package.json': packageJson(1) }, 'package.json has no test script'],
    [{ 'package.json': packageJson(' ') }, 'package.json has no test script'],
    [
      { 'package.json': packageJson('echo "Error: no test specified" && exit 1') },
      'the test script of package.json is the one that npm init writes: it only fails',
    ],
    [{ Makefile: 'TEST := a:b\ntest := 1\nall:\n' }, 'Makefile has neither a target test nor a target check'],
    [{ 'pytest.ini': '' }, 'pytest is configured, but there are no tests for it'],
    [{ 'examples/test_a.py': inUnittest }, 'there are Python tests, but neither at the root nor in a folder tests'],
  ])('gives no check for %j, and says why', (texts, note) => {
    expect(detect(texts)).toEqual({ commands: [], notes: [note], names: [] });
  });

  it('finds several ecosystems in order, and asks the Makefile only when there is none', () => {
    const texts = {
      Makefile: 'test:\n',
      'go.mod': '',
      'Cargo.toml': '',
      'test_a.py': inUnittest,
      'package.json': packageJson('ava'),
    };
    expect(detect(texts).commands).toEqual(['npm test', 'python3 -m unittest discover', 'go test ./...', 'cargo test']);
    expect(detect({ Makefile: 'test:\n', 'package.json': '{}' })).toMatchObject({
      commands: ['make test'],
      notes: ['package.json has no test script'],
    });
  });

  it('keeps to five checks, and says so', () => {
    const tests = ['test_a.py', 'tests/test_b.py', 'src/test_c.py', 'test/test_d.py'].map(path => [path, inUnittest]);
    const { commands, notes } = detect({
      ...(Object.fromEntries(tests) as Record<string, string>),
      'package.json': packageJson('ava'),
      'go.mod': '',
      'Cargo.toml': '',
      'pom.xml': '',
    });
    expect(commands).toHaveLength(5);
    expect(notes).toEqual(['Python tests lie in 4 places, the first 3 are run', '7 checks were found, the first 5 are used']);
  });

  it('looks at the root only, and at nothing that came with an environment', () => {
    expect(
      detect({ 'web/package.json': packageJson('ava'), 'a/go.mod': '', '.venv/lib/tests/test_a.py': '', 'vendor/test_b.py': '' }),
    ).toEqual({ commands: [], notes: [], names: [] });
  });

  test('never throws, and its names are unique', () => {
    const path = fc.oneof(
      fc.constantFrom('package.json', 'Makefile', 'pyproject.toml', 'test_a.py', 'tests/b_test.py', 'src/x/test_y.py', 'pom.xml'),
      fc.string(),
    );
    const text = fc.oneof(
      fc.string(),
      fc.json(),
      fc.constantFrom('test:\n', '{"scripts":{"test":"x"}}', '[tool.pytest]', '{"scripts":[]}'),
    );
    fc.assert(
      fc.property(fc.dictionary(path, text), texts => {
        const { names } = detect(texts);
        expect(new Set(names).size).toBe(names.length);
        expect(names.length).toBeLessThanOrEqual(5);
      }),
    );
  });
});
