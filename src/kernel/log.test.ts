import { spawnSync } from 'node:child_process';
import { openSync } from 'node:fs';
import { expect, it } from 'vitest';

// A line more than is held, then the end of the process, which writes what is left.
const program = `
  import { createLog } from './src/kernel/log.ts';
  const log = createLog('info');
  for (let line = 0; line < 2_000; line += 1) log.info({ line }, 'said to nobody, since there is no space left where this should be kept');
  process.stdout.write('it works on');
`;

it.runIf(process.platform === 'linux')('is lost where its disk is full, and nothing else is', () => {
  const full = openSync('/dev/full', 'w');
  const { status, stdout } = spawnSync(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', program], {
    stdio: ['ignore', 'pipe', full],
    encoding: 'utf8',
  });
  expect({ status, stdout }).toEqual({ status: 0, stdout: 'it works on' });
});
