import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { SandboxCommand } from '../../../worker/sandbox.ts';
import { preamble, starterArgv } from './starter.ts';

/** What may be /bin/sh. */
const shells = ['/bin/dash', '/bin/bash'].filter(path => existsSync(path));
const token = 'skep-test-0';

/** What a command prints that a starter has started by this shell, outside of a sandbox. */
function started(shell: string, script: string, processesMax: number | undefined): string {
  const rest = { timeoutMs: 1_000, outputBytesMax: 1_000, onOutput() {} };
  const command: SandboxCommand = { argv: ['/bin/sh', '-c', script], ...rest };
  const words = starterArgv({ token, command, preambleFd: 0 }).map(word => (word === '/work' ? '/' : word));
  const [env = '', ...argv] = words.with(words.indexOf('/bin/sh'), shell);
  return spawnSync(env, argv, {
    input: preamble({ token, command, hasInput: false, counting: 'unknown', processesMax }),
    encoding: 'utf8',
  }).stdout;
}

/** Soft and hard. */
const limits = String.raw`sed -n 's/^Max processes *\([^ ]*\) *\([^ ]*\).*/\1 \2/p' /proc/self/limits`;

describe.each(shells)('a starter by %s', shell => {
  it('limits the processes of its command, so that it may not have more again', () => {
    expect(started(shell, limits, 1_234)).toBe('1234 1234\n');
  });

  it('leaves them where their limit is not its business', () => {
    expect(started(shell, limits, undefined)).toMatch(/^(?!1234)\S+ \S+\n$/);
  });

  it('starts nothing where it can not limit them', () => {
    expect(started(shell, 'echo started', Number.NaN)).toBe('');
  });
});
