import type { Flag } from '../../../../../contract/reviews.ts';

/** A path as file systems that ignore case see it, from the root of the repository. */
export function normalPath(path: string): string {
  const parts: string[] = [];
  for (const part of path.toLowerCase().split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '.' && part !== '') parts.push(part);
  }
  return parts.join('/');
}

/** What a file is by its place and name, where it is something that a change should not touch unseen. */
export function watchedAs(path: string): Exclude<Flag['kind'], 'fewer_tests'> | undefined {
  const normal = normalPath(path);
  if (isAny(dependencies, normal)) return 'dependencies';
  if (isAny(ci, normal)) return 'ci';
  if (isAny(alwaysSteering, normal)) return 'checks';
  if (!isTestData(path) && isAny(steering, normal)) return 'checks';
  return isTest(path) ? 'tests' : undefined;
}

/** What lies among the data of tests is read by them, and steers nothing. */
export function isTestData(path: string): boolean {
  return /(?:^|\/)(?:testdata|(?:__)?(?:fixtures?|snapshots)(?:__)?)\//.test(normalPath(path));
}

const dependencies = [/(?:^|\/)(?:node_modules|vendor|\.?venv|third_party|\.yarn|site-packages)\//, /(?:^|\/)\.pnp\.[^/]*$/];

const ci = [
  /^\.(?:github|gitlab|circleci|buildkite|forgejo|gitea)\//,
  /^\.woodpecker(?:\.ya?ml|\/)/,
  /^(?:\.gitlab-ci|\.travis|\.drone|\.?appveyor|bitbucket-pipelines|azure-pipelines[^/]*)\.ya?ml$/,
  /(?:^|\/)jenkinsfile[^/]*$/,
];

/** Loaded by Python and pytest from any folder, with nobody asking for it. */
const alwaysSteering = [/(?:^|\/)(?:conftest|sitecustomize|usercustomize)\.py$/, /\.pth$/];

const steering = [
  // Runners and loaders of JavaScript. package.json is compared by its fields.
  /(?:^|\/)(?:\.npmrc|\.yarnrc[^/]*|\.pnpmfile\.c?js|pnpm-workspace\.yaml|bunfig\.toml)$/,
  /(?:^|\/)(?:\.mocharc|\.nycrc|\.c8rc|\.babelrc|\.swcrc|\.taprc)[^/]*$/,
  /(?:^|\/)(?:jest|vite|vitest|ava|babel|playwright|cypress)\.(?:config|setup|workspace)[^/]*$/,
  /(?:^|\/)(?:karma\.conf[^/]*|tsconfig[^/]*\.json)$/,
  /(?:^|\/)(?:(?:gnu)?makefile|[^/]*\.mk)$/,
  // Python
  /(?:^|\/)(?:pyproject\.toml|setup\.(?:cfg|py)|tox\.ini|\.?pytest\.ini|noxfile\.py|\.coveragerc)$/,
  // Rust
  /(?:^|\/)(?:cargo\.toml|build\.rs|rust-toolchain[^/]*|\.cargo\/.*)$/,
  // Java
  /(?:^|\/)(?:pom\.xml|[^/]*\.gradle(?:\.kts)?|gradle\.properties|gradlew(?:\.bat)?|mvnw(?:\.cmd)?|\.mvn\/.*|gradle\/.*)$/,
  // What git and a shell do to every file and command.
  /(?:^|\/)(?:\.gitattributes|\.env[^/]*)$/,
];

/** Part by part of the path, so that no long name makes a pattern try again from each of its letters. */
function isTest(path: string): boolean {
  const folders = path.split('/').filter(part => part !== '' && part !== '.');
  const name = folders.pop() ?? '';
  const isIn = (where: string) => folders.some(folder => folder.toLowerCase() === where);
  if (folders.some(isTestFolder) || folders[0]?.toLowerCase() === 'specs') return true;
  return isAny(testNames, name.toLowerCase()) || isAny(testNamesInCamelCase, name) || (isIn('t') && name.endsWith('.t'));
}

/** tests, unit-tests, __tests__, test_data; SumTests, androidTest, testFixtures with their case, since a contest is no test. */
function isTestFolder(folder: string): boolean {
  const words = folder.toLowerCase().split(/[._-]/);
  if (words.some(word => ['test', 'tests', 'e2e'].includes(word))) return true;
  if (['spec', 'testdata', '__mocks__', '__snapshots__'].includes(folder.toLowerCase())) return true;
  return /[a-z0-9]Tests?$|^test[A-Z]/.test(folder);
}

/** sum.test.ts, sum.spec.js, test_sum.py, sum_test.go, sum-test.js, tests.rs */
const testNames = [/[._-](?:tests?|specs?|e2e|cy)\./, /^tests?(?:[_-].*)?\./, /\.(?:snap|bats|feature)$/];

/** TestSum.java, SumTest.kt */
const testNamesInCamelCase = [
  /^Test[A-Z0-9_].*\.[A-Za-z]+$/,
  /[a-z0-9](?:Tests?|TestCase|IT)\.[A-Za-z]+$/,
  /[a-z0-9]Spec\.(?:scala|groovy|kts?)$/,
];

function isAny(patterns: readonly RegExp[], path: string): boolean {
  return patterns.some(pattern => pattern.test(path));
}
