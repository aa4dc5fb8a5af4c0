import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

// npx tsx test/replay/record.ts VERSION [TALE]: plays every tale of test/replay/stories, or those whose name holds TALE, with real
// processes and keeps its log in corpus/VERSION. A log that is kept stays as it is: another version, or another tale.

const [version = '', tale] = process.argv.slice(2);
if (!/^\d+[.]\d+[.]\d+$/.test(version)) {
  process.stderr.write('Usage: npx tsx test/replay/record.ts VERSION [TALE]    VERSION as in package.json, such as 0.1.0\n');
  process.exit(2);
}
const vitest = join(dirname(createRequire(import.meta.url).resolve('vitest/package.json')), 'vitest.mjs');
const argv = ['run', '--project', 'prove', 'test/replay', ...(tale === undefined ? [] : ['-t', tale])];
const { status } = spawnSync(process.execPath, [vitest, ...argv], {
  cwd: join(import.meta.dirname, '../..'),
  stdio: 'inherit',
  env: { ...process.env, SKEP_REPLAY_VERSION: version },
});
process.exit(status ?? 1);
