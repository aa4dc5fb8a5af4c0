import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
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
    const place = mkdtempSync(join(tmpdir(), 'skep-node-'));
    onTestFinished(() => rmSync(place, { recursive: true }));
    const program = join(place, 'bin/node');
    // A Node among other things: a home, say, whose programs are nobody's business.
    expect(nodeInside(program)).toEqual({ program, folders: [] });
    mkdirSync(join(place, 'lib/node_modules/npm'), { recursive: true });
    expect(nodeInside(program)).toEqual({
      program: '/skep/node/bin/node',
      folders: [
        { from: join(place, 'bin'), to: '/skep/node/bin' },
        { from: join(place, 'lib/node_modules/npm'), to: '/skep/node/lib/node_modules/npm' },
      ],
    });
    expect(nodeInside(join(place, 'node'))).toEqual({ program: join(place, 'node'), folders: [] });
  });
});
