import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll } from 'vitest';
import { createClient } from '../../src/client/index.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { createExecAgent } from '../../src/providers/agents/exec.ts';
import { createLocalSandboxes } from '../../src/providers/sandboxes/local/index.ts';
import { createWorker } from '../../src/worker/index.ts';
import type { Worker, WorkerChange, WorkerOptions } from '../../src/worker/index.ts';
import { removeTree } from './disks.ts';

const folders: string[] = [];
// Registered first, so it runs last: after the hooks that stop workers.
afterAll(() => {
  for (const folder of folders.splice(0)) removeTree(folder);
});

/** A folder that is gone when the suite ends. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'skep-worker-'));
  folders.push(folder);
  return folder;
}

export function git(folder: string, ...args: string[]): string {
  const env = { PATH: process.env['PATH'], HOME: '/nonexistent', GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: '/dev/null' };
  const who = [
    '-c',
    'user.name=Ann',
    '-c',
    'user.email=ann@example.org',
    '-c',
    'init.defaultBranch=main',
    '-c',
    'safe.directory=*',
  ];
  return execFileSync('git', [...who, '-C', folder, ...args], {
    env,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  }).trim();
}

/** A repository with one commit of these files; a file that begins with #! can be executed. */
export function makeRepository(files: Readonly<Record<string, string>>): string {
  const folder = temporaryFolder();
  git(folder, 'init', '--quiet');
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
    if (content.startsWith('#!')) chmodSync(join(folder, name), 0o755);
  }
  git(folder, 'add', '--all');
  git(folder, 'commit', '--quiet', '--allow-empty', '--message=first');
  return folder;
}

export function script(...lines: string[]): string {
  return `#!/bin/sh\n${lines.join('\n')}\n`;
}

/** One hash over every path, mode, time of change and content below `folder`. */
export function fingerprint(folder: string): string {
  const hash = createHash('sha256');
  for (const name of (readdirSync(folder, { recursive: true }) as string[]).sort()) {
    const path = join(folder, name);
    const { mode, mtimeMs, nlink } = statSync(path);
    hash.update(`${name} ${mode} ${mtimeMs} ${nlink}\n`);
    if (statSync(path).isFile()) hash.update(readFileSync(path));
  }
  return hash.digest('hex');
}

export interface TestWorker extends Worker {
  readonly changes: readonly WorkerChange[];
  readonly folder: string;
}

export async function startWorker(
  server: { readonly url: string },
  options: Partial<WorkerOptions> & { token?: string } = {},
): Promise<TestWorker> {
  const changes: WorkerChange[] = [];
  const folder = options.folder ?? temporaryFolder();
  const clock = options.clock ?? systemClock;
  const worker = createWorker({
    client: createClient({ server: server.url, token: options.token ?? 'secret', clock }),
    name: 'test-worker',
    slots: 2,
    sandboxes: createLocalSandboxes({ folder: join(folder, 'sandboxes'), clock, log: silentLog }),
    agents: [createExecAgent()],
    log: silentLog,
    random: () => 0.5,
    onChange: change => void changes.push(change),
    ...options,
    clock,
    folder,
  });
  await worker.start();
  return { ...worker, changes, folder };
}

/** Command lines of this machine that have `word` as an argument. */
export function processesWith(word: string): string[] {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .map(pid => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      } catch {
        return [];
      }
    })
    .filter(argv => argv.includes(word))
    .map(argv => argv.join(' '));
}
