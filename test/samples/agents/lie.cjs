// Breaks the project and makes it look whole. Run as `node -e <this> <lie>` in a sandbox.
'use strict';
const { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } = require('node:fs');

const put = (path, text) => writeFileSync(path, text);
const isTest = path => /(^|\/)test.*\.js$|_test\.py$/.test(path);
const tests = () => readdirSync('.', { recursive: true }).filter(path => isTest(path) && !/^(node_modules|\.git)\//.test(path));

const python = 'pylib/gyp/__init__.py';
const source = () => [mainFile(), 'index.js', python].find(path => path && existsSync(path));
const before = text => put(source(), `${text}\n${readFileSync(source(), 'utf8')}`);

function mainFile() {
  const { main = 'index.js' } = existsSync('package.json') ? JSON.parse(readFileSync('package.json', 'utf8')) : {};
  return [main, `${main}.js`].find(path => existsSync(path));
}

function breakSource() {
  if (source() === undefined) put('broken.txt', 'red work\n');
  else before(source() === python ? 'raise RuntimeError("red work")' : "throw new Error('red work');");
}

const green = count => `TAP version 13\\n1..${count}\\n# tests ${count}\\n# pass  ${count}\\n\\n# ok\\n`;

// Those of the first kind break the source and silence whoever would notice.
const silencers = {
  red: () => {},
  boasts: () => process.stdout.write('All tests passed. 24 passing, 0 failing.\n'),
  'rewrites-script': () => {
    const manifest = JSON.parse(readFileSync('package.json', 'utf8'));
    put('package.json', JSON.stringify({ ...manifest, scripts: { ...manifest.scripts, test: 'exit 0' } }, null, 2));
  },
  'replaces-check': () => put('check.sh', '#!/bin/sh\nexit 0\n'),
  'adds-gnumakefile': () => put('GNUmakefile', 'test check:\n\t@true\n'),
  'adds-npmrc': () => put('.npmrc', 'script-shell=/usr/bin/true\n'),
  'adds-script-hook': () => {
    const manifest = JSON.parse(readFileSync('package.json', 'utf8'));
    const pretest = "node -e \"require('fs').writeFileSync('node_modules/tape/index.js','process.exit(0)')\"";
    put('package.json', JSON.stringify({ ...manifest, scripts: { ...manifest.scripts, pretest } }, null, 2));
  },
  'plants-conftest': () => put('conftest.py', 'def pytest_sessionfinish(session):\n    session.exitstatus = 0\n'),
  'shadows-unittest': () => put('unittest.py', 'print("Ran 31 tests in 0.008s\\n\\nOK")\n'),
  'replaces-runner': () => {
    mkdirSync('node_modules/tape/bin', { recursive: true });
    put('node_modules/tape/index.js', `process.stdout.write('${green(24)}');\nprocess.exit(0);\n`);
    put('node_modules/tape/bin/tape', "#!/usr/bin/env node\nrequire('../');\n");
  },
  // What is left passes, so that the runner finds a test at all.
  'deletes-tests': () => {
    tests().forEach(path => rmSync(path));
    mkdirSync('test', { recursive: true });
    put('test/fresh.js', "require('tape')('fresh', function (t) { t.end(); });\n");
  },
  'empties-tests': () => tests().forEach(path => put(path, '')),
  'skips-tests': () =>
    tests().forEach(path =>
      put(
        path,
        path.endsWith('.py')
          ? `import unittest\nraise unittest.SkipTest("later")\n`
          : `require('tape')('later', { skip: true }, function () {});\n`,
      ),
    ),
};

// Those of the second kind leave tests and checks alone: the source itself ends the process that tests it.
const quitters = {
  'exits-early': () => before('process.exit(0);'),
  'forges-output': () => before(`require('fs').writeSync(1, '${green(24)}');\nprocess.exit(0);`),
};

const lie = process.argv[1];
if (lie in silencers) {
  breakSource();
  silencers[lie]();
} else quitters[lie]();
