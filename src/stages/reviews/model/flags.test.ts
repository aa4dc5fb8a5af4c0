import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { type ChangedFile, filesToCompare, flagChanges, type Submission } from './flags.ts';

const npmTest = { name: 'npm test', command: ['npm', 'test'] };

function flag(changed: readonly ChangedFile[], more: Partial<Submission> = {}) {
  return flagChanges({ changed, checks: [npmTest], baseFiles: new Map(), headFiles: new Map(), ...more });
}

function kindsOf(path: string, status: ChangedFile['status'], more: Partial<Submission> = {}) {
  return flag([{ path, status }], more).map(({ kind }) => kind);
}

function command(...words: string[]) {
  return { name: words.join(' '), command: words };
}

describe('tests', () => {
  const tests = [
    ...[
      'test/sum.js',
      'tests/deep/a/sum.py',
      '__tests__/sum.tsx',
      'spec/sum_spec.rb',
      'e2e/login.ts',
      'unit-tests/a.c',
      'a/Test/b.cs',
    ],
    ...[
      'src/sum.test.ts',
      'src/sum.spec.js',
      'test_sum.py',
      'a/sum_test.py',
      'sum_test.go',
      'src/tests.rs',
      'test.js',
      'sum-test.mjs',
    ],
    ...[
      'src/test/java/Sum.java',
      'src/main/SumTest.java',
      'TestSum.java',
      'SumTests/Sum.swift',
      'src/androidTest/A.kt',
      'SumSpec.scala',
    ],
    ...['pkg/testdata/in.txt', 'test/fixtures/a.json', 'src/__snapshots__/a.snap', 'a.snap', 'run.bats', 't/01.t', './TEST/a.JS'],
  ];

  it.each(tests)('%s is one: to change or delete it is seen, to add it is welcome', path => {
    expect(kindsOf(path, 'modified')).toEqual(['tests']);
    expect(kindsOf(path, 'deleted')).toEqual(['tests']);
    expect(kindsOf(path, 'added')).toEqual([]);
  });

  it.each([
    'src/contest.java',
    'src/latest/a.ts',
    'src/specs/verbs.ts',
    'docs/testing.md',
    'src/attest.ts',
    'src/Testimonial.tsx',
  ])('%s is none', path => {
    expect(kindsOf(path, 'modified')).toEqual([]);
  });

  it('sees a test that is renamed, wherever it goes, and lets a file become one', () => {
    expect(flag([{ path: 'old.txt', oldPath: 'test/a.js', status: 'renamed' }])).toEqual([
      { kind: 'tests', path: 'old.txt', what: '`test/a.js` was renamed to `old.txt`, a test that was there before' },
    ]);
    expect(flag([{ path: 'test/a.js', oldPath: 'try.js', status: 'renamed' }])).toEqual([]);
  });
});

describe('checks', () => {
  const steering = [
    ...[
      '.npmrc',
      '.mocharc.json',
      'jest.config.ts',
      'web/vitest.config.mts',
      'vite.config.js',
      'karma.conf.js',
      'ava.config.mjs',
      '.taprc',
    ],
    ...[
      '.nycrc.json',
      'babel.config.cjs',
      '.babelrc',
      'tsconfig.json',
      'tsconfig.test.json',
      'Makefile',
      'GNUmakefile',
      'rules/a.mk',
    ],
    ...[
      'pyproject.toml',
      'setup.cfg',
      'setup.py',
      'tox.ini',
      'pytest.ini',
      'conftest.py',
      'tests/deep/conftest.py',
      'sitecustomize.py',
    ],
    ...[
      'usercustomize.py',
      'noxfile.py',
      '.coveragerc',
      'Cargo.toml',
      '.cargo/config.toml',
      'a/build.rs',
      'rust-toolchain.toml',
      'pom.xml',
    ],
    ...['build.gradle', 'settings.gradle.kts', 'gradle/wrapper/gradle-wrapper.jar', 'gradlew', 'mvnw', '.mvn/maven.config'],
    ...['.gitattributes', 'src/.gitattributes', '.env', '.env.test', '.envrc', 'MAKEFILE'],
  ];

  it.each(steering)('%s steers them, be it added, changed or deleted', path => {
    for (const status of ['added', 'modified', 'deleted', 'renamed'] as const) expect(kindsOf(path, status)).toEqual(['checks']);
  });

  it.each(['src/index.ts', 'README.md', 'package-lock.json', 'go.mod', 'test/fixtures/app/tsconfig.json', 'src/makefile.ts'])(
    '%s does not',
    path => {
      expect(kindsOf(path, 'added')).toEqual([]);
    },
  );

  it('are nothing that can be steered where there are none', () => {
    expect(kindsOf('Makefile', 'added', { checks: [] })).toEqual([]);
    expect(kindsOf('test/a.js', 'modified', { checks: [] })).toEqual(['tests']);
  });
});

describe('package.json', () => {
  const compare = (base: unknown, head: unknown, path = 'package.json') =>
    flag([{ path, status: 'modified' }], {
      baseFiles: new Map([[path, JSON.stringify(base)]]),
      headFiles: new Map([[path, JSON.stringify(head)]]),
    });

  it('is seen where the scripts or the set-up of a runner change', () => {
    expect(compare({ scripts: { test: 'ava' } }, { scripts: { test: 'true' }, type: 'module' })).toEqual([
      {
        kind: 'checks',
        path: 'package.json',
        what: '`package.json` was modified, which changes "scripts", "type": that steers the checks',
      },
    ]);
    expect(compare({ jest: { a: [1, 2] } }, { jest: { a: [1] } }, 'web/package.json')).toHaveLength(1);
  });

  it('is not where only other fields or the order of keys change', () => {
    const base = { scripts: { test: 'ava', lint: 'x' }, dependencies: {} };
    expect(compare(base, { dependencies: { a: '1.0.0' }, scripts: { lint: 'x', test: 'ava' } })).toEqual([]);
  });

  it('is seen where it cannot be compared', () => {
    for (const texts of [[], [['package.json', '{']], [['package.json', '[]']]] as const) {
      const files = new Map(texts.map(([path, text]) => [path, text]));
      expect(flag([{ path: 'package.json', status: 'modified' }], { baseFiles: files, headFiles: files })).toHaveLength(1);
    }
    expect(flag([{ path: 'package.json', status: 'modified' }], { headFiles: new Map([['package.json', '{}']]) })).toHaveLength(
      1,
    );
  });

  it('is compared with nothing where it is new or gone', () => {
    const headFiles = new Map([
      ['a/package.json', '{"type":"module"}'],
      ['b/package.json', '{"name":"b"}'],
    ]);
    expect(kindsOf('a/package.json', 'added', { headFiles })).toEqual(['checks']);
    expect(kindsOf('b/package.json', 'added', { headFiles })).toEqual([]);
    expect(kindsOf('b/package.json', 'deleted', { baseFiles: headFiles })).toEqual([]);
    expect(kindsOf('a/package.json', 'deleted', { baseFiles: headFiles })).toEqual(['checks']);
  });

  it('is asked for wherever it changes, but not among test data and the code of others', () => {
    const paths = ['package.json', 'web/package.json', 'src/a.ts', 'node_modules/a/package.json', 'test/fixtures/a/package.json'];
    expect(filesToCompare(paths.map(path => ({ path, status: 'modified' })))).toEqual(['package.json', 'web/package.json']);
  });
});

describe('files that the checks run', () => {
  const scripts = (texts: Readonly<Record<string, string>>) => ({
    baseFiles: new Map([['package.json', JSON.stringify({ scripts: texts })]]),
  });

  it.each([
    ['check.sh', { checks: [command('sh', 'check.sh')] }],
    ['scripts/run-tests.js', { checks: [command('node', './scripts/run-tests')] }],
    ['scripts/index.mjs', { checks: [command('node', '--enable-source-maps', 'scripts')] }],
    ['ci/test', { checks: [command('./ci/test')] }],
    ['ci/check.py', { checks: [command('python3', '-m', 'ci.check')] }],
    ['pytest.py', { checks: [command('python3', '-m', 'pytest')] }],
    ['pytest/__init__.py', { checks: [command('python3', '-m', 'pytest')] }],
    ['ci/a.sh', { checks: [command('sh', '-c', 'cd . && "./ci/a.sh"|tee log')] }],
    ['RUN.js', scripts({ test: 'node run.js && npm run lint' })],
    ['lint.js', scripts({ test: 'node run.js && npm run lint', lint: 'node lint' })],
    ['before.js', scripts({ test: 'ava', pretest: 'node before.js' })],
    ['unit.js', scripts({ test: 'run-s unit:*', 'unit:a': 'node unit.js' })],
    ['hook.js', scripts({ test: 'mocha --require=./hook.js' })],
    [
      'run.sh',
      { checks: [command('make', 'check')], baseFiles: new Map([['Makefile', 'check: all deep\n\ndeep:\n\t@./run.sh\n']]) },
    ],
    [
      'run.js',
      {
        checks: [command('make', 'test')],
        baseFiles: new Map([['Makefile', 'test:\n\tnpm test\n'], ...scripts({ test: 'node run.js' }).baseFiles]),
      },
    ],
  ] as const)('%s is one', (path, more) => {
    for (const status of ['added', 'modified', 'deleted'] as const) expect(kindsOf(path, status, more)).toEqual(['checks']);
  });

  it.each([
    ['test.js', {}],
    ['build.js', scripts({ test: 'ava', build: 'node build.js' })],
    [
      'main.c',
      { checks: [command('make', 'test')], baseFiles: new Map([['Makefile', 'test: main.c\n\tcc main.c && ./a.out\n']]) },
    ],
  ] as const)('%s is none', (path, more) => {
    expect(kindsOf(path, 'added', more)).toEqual([]);
  });

  it('are seen where they go', () => {
    const checks = [command('sh', 'check.sh')];
    expect(flag([{ path: 'old.sh', oldPath: 'check.sh', status: 'renamed' }], { checks })[0]?.kind).toBe('checks');
  });
});

describe('CI and the code of others', () => {
  it.each([
    ...[
      '.github/workflows/test.yml',
      '.gitlab-ci.yml',
      '.circleci/config.yml',
      'Jenkinsfile',
      'azure-pipelines.yml',
      '.travis.yml',
    ],
    ...[
      '.drone.yml',
      '.buildkite/pipeline.yml',
      'bitbucket-pipelines.yml',
      'appveyor.yml',
      '.woodpecker.yml',
      '.woodpecker/test.yaml',
    ],
  ])('%s is CI', path => {
    expect(kindsOf(path, 'added')).toEqual(['ci']);
  });

  it.each([
    ...['node_modules/ava/index.js', 'web/node_modules/a/test/a.js', 'vendor/a/a_test.go', '.venv/bin/pytest', 'venv/x'],
    ...['third_party/a/Makefile', '.yarn/releases/yarn.cjs', '.pnp.cjs', '.pnp.loader.mjs'],
  ])('%s is the code of others', path => {
    expect(kindsOf(path, 'modified')).toEqual(['dependencies']);
  });
});

describe('fewer tests', () => {
  const counts = (total: number, skipped = 0) => ({ total, passed: total - skipped, failed: 0, skipped });
  const compare = (base: ReturnType<typeof counts> | null, candidate: ReturnType<typeof counts> | null) =>
    flag([], { baseTests: new Map([['npm test', base]]), candidateTests: new Map([['npm test', candidate]]) });

  it.each([
    [counts(5), counts(4), '`npm test` ran fewer tests than on the base commit: 4 instead of 5'],
    [counts(5), counts(5, 1), '`npm test` ran fewer tests than on the base commit: 4 instead of 5'],
    [counts(5), counts(9, 1), '`npm test` skipped more tests than on the base commit: 1 instead of 0'],
    [counts(5), null, '`npm test` no longer tells how many tests it ran; on the base commit it ran 5'],
  ])('%j before and %j after is seen', (base, candidate, what) => {
    expect(compare(base, candidate)).toEqual([{ kind: 'fewer_tests', path: null, what }]);
  });

  it('is not seen where there are as many, more, or none known before', () => {
    for (const [base, candidate] of [
      [counts(5, 1), counts(5, 1)],
      [counts(5, 1), counts(6)],
      [null, counts(0)],
      [null, null],
    ] as const)
      expect(compare(base, candidate)).toEqual([]);
    expect(flag([], { baseTests: new Map([['npm test', counts(5)]]) })).toEqual([]);
  });
});

describe('any change', () => {
  it('gives at most 51 flags, of which the last says how many more, and what matters most comes first', () => {
    const many = Array.from({ length: 99 }, (_, i): ChangedFile => ({ path: `vendor/${i}`, status: 'added' }));
    const flags = flag([...many, { path: 'Makefile', status: 'added' }]);
    expect(flags).toHaveLength(51);
    expect(flags[0]?.kind).toBe('checks');
    expect(flags[50]).toEqual({ kind: 'dependencies', path: null, what: '50 more changes are of this sort' });
  });

  it('is judged in time that grows with the length of its names, not with their square', () => {
    const changed = Array.from({ length: 2_000 }, (_, i): ChangedFile => ({ path: 'test-'.repeat(800) + i, status: 'modified' }));
    expect(flag(changed)).toEqual([]);
  });

  it('shows no control character of a name', () => {
    expect(flag([{ path: 'test/\u001b[31ma\n.js', status: 'deleted' }])[0]?.what).toBe(
      '`test/a .js` was deleted, a test that was there before',
    );
  });

  test('never throws', () => {
    const path = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom('package.json', 'test/a.js', 'Makefile', '../..', 'run.js'),
    );
    const file = fc.record(
      { path, status: fc.constantFrom('added', 'modified', 'deleted', 'renamed'), oldPath: path },
      { requiredKeys: ['path', 'status'] },
    );
    const texts = fc.dictionary(path, fc.oneof(fc.string(), fc.json())).map(files => new Map(Object.entries(files)));
    const checks = fc.array(fc.record({ name: fc.string(), command: fc.array(fc.string(), { minLength: 1 }) }));
    const submission = fc.record({ changed: fc.array(file), checks, baseFiles: texts, headFiles: texts });
    fc.assert(
      fc.property(submission, some => {
        expect(flagChanges(some).length).toBeLessThanOrEqual(51);
      }),
    );
    const deep = '{"scripts":'.repeat(50_000) + '1' + '}'.repeat(50_000);
    const files = new Map([['package.json', deep]]);
    expect(flag([{ path: 'package.json', status: 'modified' }], { baseFiles: files, headFiles: files })).toHaveLength(1);
  });
});
