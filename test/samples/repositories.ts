import { join } from 'node:path';
import { temporaryFolder } from '../harness/worker.ts';
import { commitAll } from './git.ts';
import { copyPackage, needsOf, packageFolder, vendor } from './packages.ts';

interface Sample {
  readonly package: string;
  /** The folder of the package that is the project; all of it otherwise. */
  readonly within?: string;
  /** What its tests are run by, where that is not Node or Python itself. */
  readonly runner?: readonly string[];
  readonly checks: readonly (readonly [string, ...string[]])[];
  /** How many tests its checks tell of; null where they say nothing. */
  readonly tests: number | null;
  /** Whether its own tests pass on a Node of today. */
  readonly green: boolean;
}

const NPM = [['npm', 'test']] as const;
const MAKE = [['make', 'test']] as const;
const UNITTEST = [['python3', '-m', 'unittest', 'discover', '-s', 'pylib', '-p', '*_test.py']] as const;

/** Projects of other people as they published them, with the tests that they wrote. None needs a network or a compiler. */
const samples = {
  /** One test file, `node test`. */
  xtend: { package: 'xtend', runner: ['tape'], checks: NPM, tests: 15, green: true },
  /** A folder of tests and a dependency at run time. */
  'json-stable-stringify': { package: 'json-stable-stringify', runner: ['tape'], checks: NPM, tests: 24, green: true },
  'deep-equal': { package: 'deep-equal', runner: ['tape'], checks: NPM, tests: 21, green: true },
  /** No runner: it throws when it is wrong and says nothing when it is right. */
  'abstract-logging': { package: 'abstract-logging', checks: NPM, tests: null, green: true },
  /** A Makefile; its package.json has no scripts. */
  'type-component': { package: 'type-component', checks: MAKE, tests: null, green: true },
  /** Python: gyp-next, which node-gyp carries. */
  gyp: { package: 'node-gyp', within: 'gyp', checks: UNITTEST, tests: 31, green: true },
  /** Has a Makefile and a test script, and both fail: it uses a function that Node took away. */
  eyes: { package: 'eyes', checks: [...NPM, ...MAKE], tests: null, green: false },
} as const satisfies Record<string, Sample>;

export type SampleName = keyof typeof samples;
export const sampleNames = Object.keys(samples) as SampleName[];

export interface SampleRepository extends Pick<Sample, 'checks' | 'tests' | 'green'> {
  readonly folder: string;
  /** The one commit, on `main`; the same on every machine. */
  readonly commit: string;
}

/** A repository with one commit of the project, its dependencies and its runner; the work tree is clean. Throws where the package is not installed. */
export function sampleRepository(name: SampleName, folder: string = temporaryFolder()): SampleRepository {
  const { package: from, within = '', runner = [], checks, tests, green }: Sample = samples[name];
  const source = join(packageFolder(from), within);
  copyPackage(source, folder);
  vendor([...runner, ...(within === '' ? needsOf(source) : [])], folder);
  return { folder, checks, tests, green, commit: commitAll(folder) };
}
