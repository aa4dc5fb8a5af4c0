import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { insideFolder, nodeInside } from './inside.ts';

describe('the programs for sandboxes', () => {
  it('are made once, also by several processes at the same time', async () => {
    const script = `import { insideFolder } from '${join(import.meta.dirname, 'inside.ts')}'; insideFolder().then(f => process.stdout.write(f));`;
    const run = promisify(execFile);
    const others = [1, 2].map(() => run(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script]));
    const folders = await Promise.all([insideFolder(), ...others.map(async other => (await other).stdout)]);
    const [folder] = folders;
    expect(new Set(folders).size).toBe(1);
    expect(['host.mjs', 'report.mjs', 'bin/skep-report'].filter(name => !existsSync(join(folder, name)))).toEqual([]);
    expect(readdirSync(join(folder, '..')).filter(name => name.endsWith('.draft'))).toEqual([]);
  });

  it('find Node where the sandbox shows it', () => {
    expect(nodeInside('/usr/bin/node')).toEqual({ program: '/usr/bin/node', folders: [] });
    expect(nodeInside('/opt/node-22/bin/node')).toEqual({
      program: '/skep/node/bin/node',
      folders: [{ from: '/opt/node-22/bin', to: '/skep/node/bin' }],
    });
  });
});
