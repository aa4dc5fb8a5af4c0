import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { environmentWith } from '../../config.ts';
import { Fault } from '../../kernel/fault.ts';
import { folderPrefix, placesIn } from './places.ts';
import type { Clone, Places } from './places.ts';

const run = promisify(execFile);

/** A new folder with a fresh git repository of the sample: the same commit each time. Throws Fault `failed` where git cannot. */
export async function makePlaces({ sample }: Clone): Promise<Places> {
  const places = placesIn(mkdtempSync(join(tmpdir(), folderPrefix)));
  try {
    mkdirSync(places.home, { mode: 0o700 });
    cpSync(sample, places.repository, { recursive: true });
    await beginRepository(places.repository, 'Begin with a timesheet in plain text');
  } catch (error) {
    rmSync(places.folder, { recursive: true, force: true });
    throw error;
  }
  return places;
}

/** Makes the files in `folder` the first commit of a repository. Throws Fault `failed` where git cannot. */
export async function beginRepository(folder: string, message: string): Promise<void> {
  await git(folder, ['init', '--quiet', '--initial-branch=main', '--template=']);
  await git(folder, ['add', '--all']);
  await git(folder, ['commit', '--quiet', '--no-verify', '--message', message]);
}

/** Always the same, so that the commit is. */
const identity = {
  GIT_AUTHOR_NAME: 'The tally authors',
  GIT_AUTHOR_EMAIL: 'tally@example.invalid',
  GIT_AUTHOR_DATE: '2026-03-01T09:00:00+0000',
  GIT_COMMITTER_NAME: 'The tally authors',
  GIT_COMMITTER_EMAIL: 'tally@example.invalid',
  GIT_COMMITTER_DATE: '2026-03-01T09:00:00+0000',
};

/** Without what the user or the machine has set for git, such as signing. */
export async function git(cwd: string, words: readonly string[]): Promise<string> {
  const own = { ...identity, GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: '/dev/null' };
  const env = Object.fromEntries(
    Object.entries(environmentWith(own)).filter(([name]) => !/^GIT_(DIR|WORK_TREE|INDEX_FILE)$/.test(name)),
  );
  try {
    return (await run('git', [...words], { cwd, env, timeout: gitTimeoutMs })).stdout;
  } catch (cause) {
    const said = (cause as { stderr?: string }).stderr?.trim() ?? '';
    throw new Fault('failed', { message: `The sample repository: git ${words[0]} failed: ${said}`, cause });
  }
}

const gitTimeoutMs = 60_000;
