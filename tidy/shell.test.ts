import { describe, expect, it } from 'vitest';
import { isTest, show } from './checks/finding.ts';
import { checkShell } from './checks/shell.ts';
import { sources } from './repo.ts';

const at = (text: string) => checkShell([{ path: 'src/a.ts', text }]);

describe('shell', () => {
  it.each([
    `run('sh', ['-c', command]);`,
    `run(['/bin/bash', '-lc', command]);`,
    `import { exec } from 'node:child_process';`,
    `import { execSync as run } from 'node:child_process';`,
    `spawn('git', ['status'], { shell: true });`,
  ])('refuses %s', text => {
    expect(at(text)).toHaveLength(1);
  });

  it.each([
    `sandbox.exec({ argv: ['git', 'status'] });`,
    `run('git', ['-c', 'core.hooksPath=/dev/null', 'fetch']);`,
    `spawn('git', [], { shell: false });`,
    `// shell: the checks of a project are shell lines, and run inside the sandbox\nrun(['sh', '-c', command]);`,
  ])('lets %s', text => {
    expect(at(text)).toEqual([]);
  });

  it('finds nothing here', () => {
    expect(show(checkShell(sources(/^(src|contract)\/.*[.]ts$/).filter(({ path }) => !isTest(path))))).toEqual([]);
  });
});
