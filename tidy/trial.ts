import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { root } from './repo.ts';

const CONFIGS = [
  '.dependency-cruiser.cjs',
  '.oxlintrc.json',
  'package.json',
  'tsconfig.base.json',
  'tsconfig.json',
  'tsconfig.pure.json',
];

/** A little repository with our rules and the given files, in which a tool shows what it catches. Removed by `remove`. */
export function createTrial(files: ReadonlyMap<string, string>) {
  const folder = mkdtempSync(join(tmpdir(), 'skep-tidy-'));
  for (const name of CONFIGS) copyFileSync(join(root, name), join(folder, name));
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  for (const [path, text] of files) {
    mkdirSync(join(folder, dirname(path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** The JSON that a tool of node_modules prints. It exits with 1 when it finds something, so the exit code says nothing here. */
export function runTool(cwd: string, script: string, args: readonly string[]): unknown {
  const argv = [join(root, 'node_modules', script), ...args];
  const { stdout, stderr } = spawnSync(process.execPath, argv, { cwd, encoding: 'utf8', maxBuffer: 1 << 28 });
  if (!stdout.startsWith('{')) throw new Error(`${script} printed no JSON: ${stdout}${stderr}`);
  return JSON.parse(stdout);
}
