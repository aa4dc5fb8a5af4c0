import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';
import type { TestProjectInlineConfiguration } from 'vitest/config';

/** Suites that run a second time on PostgreSQL 15, the oldest server that Skep supports. 18 is the embedded one. */
const ON_POSTGRES_15 = [
  'src/db/**/*.test.ts',
  'src/stages/**/*.test.ts',
  'src/support/**/*.test.ts',
  'src/observers/**/*.test.ts',
  'test/scenarios/fencing/**/*.test.ts',
  'test/conformance/blobs.test.ts',
];

const harness = join(import.meta.dirname, 'test/harness/global.ts');
const withServer = existsSync(harness) ? { globalSetup: [harness] } : {};
// For what hangs, and not for what is slow: a machine that has other work takes several times as long.
const slices = { ...withServer, testTimeout: 45_000, hookTimeout: 45_000 };

type Options = TestProjectInlineConfiguration['test'];
const project = (name: string, test: Options): TestProjectInlineConfiguration => ({
  // A second, the default, is little on a machine that has other work; what comes at once costs nothing.
  test: { name, pool: 'forks', expect: { poll: { timeout: 10_000 } }, ...test },
});

export default defineConfig({
  test: {
    // Two cores are what we promise to work on; more workers only make every suite slower.
    maxWorkers: 2,
    projects: [
      // Beside the code: parts and slices, on a real database where they need one.
      project('unit', { ...slices, include: ['{src,contract,dashboard,demo}/**/*.test.ts'] }),
      // The style, as tests: no database.
      project('tidy', { include: ['tidy/**/*.test.ts'], testTimeout: 90_000 }),
      // What crosses slices: starts servers, workers and sandboxes, one story at a time so that none waits for another's cores.
      project('scenarios', {
        ...withServer,
        include: ['test/**/*.test.ts'],
        fileParallelism: false,
        testTimeout: 60_000,
        hookTimeout: 60_000,
      }),
      // Long proofs: chaos, containment, real agents. `bin/prove` runs them before an issue is closed.
      project('prove', {
        ...withServer,
        include: ['test/**/*.prove.ts'],
        fileParallelism: false,
        testTimeout: 900_000,
        hookTimeout: 120_000,
      }),
      // Only when asked for, so that a plain `vitest run path` runs a suite once.
      ...(process.env['SKEP_TEST_POSTGRES'] === '15' ? [project('pg15', { ...slices, include: ON_POSTGRES_15 })] : []),
    ],
  },
});
