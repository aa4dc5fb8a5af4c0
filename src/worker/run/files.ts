import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { processInfo } from '../../kernel/process-info.ts';

/**
 * Makes the folder in which this process keeps the files of its runs, and removes those of workers that died: their runs have
 * gone to others. Several workers share `parent`, so each folder names its process and when that was started.
 */
export async function openRunFiles(parent: string): Promise<string> {
  const own = join(parent, `${process.pid}-${processInfo(process.pid)?.start ?? ''}`);
  await mkdir(own, { recursive: true, mode: 0o700 });
  for (const name of await readdir(parent)) {
    if (isDead(name)) await rm(join(parent, name), { recursive: true, force: true });
  }
  return own;
}

function isDead(name: string): boolean {
  const [, pid, start] = /^(\d+)-(.*)$/.exec(name) ?? [];
  return pid !== undefined && processInfo(Number(pid))?.start !== start;
}
