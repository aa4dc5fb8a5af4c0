import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Stage } from './bench.ts';

const settings = ['user.name=Ann', 'user.email=ann@example.org', 'init.defaultBranch=main'].flatMap(setting => ['-c', setting]);

/** A small repository with one commit, removed at the end. */
export function makeRepository(stage: Stage): string {
  const folder = mkdtempSync(join(tmpdir(), 'skep-bench-repository-'));
  stage.atEnd(async () => rmSync(folder, { recursive: true, force: true }));
  const git = (...args: string[]) => execFileSync('git', [...settings, '-C', folder, ...args], { stdio: 'ignore' });
  git('init', '--quiet');
  writeFileSync(join(folder, 'README.md'), '# Demo\n');
  for (let i = 0; i < 20; i++) writeFileSync(join(folder, `file-${i}.txt`), `line ${i}\n`.repeat(200));
  git('add', '--all');
  git('commit', '--quiet', '--message=first');
  return folder;
}
