import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { withLock } from '../../src/db/embedded/place/lock.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { ownFolder, removeOwn } from './left.ts';

const root = join(import.meta.dirname, '../..');

/** A `skep` command as its own process, as a person starts it. */
export interface SkepProcess {
  readonly pid: number;
  /** The JSON lines printed so far. */
  readonly lines: readonly Record<string, unknown>[];
  /** What it has said beside them so far. */
  stderr(): string;
  /** The first line, printed already or not, for which `wanted` holds. */
  line(wanted: (line: Record<string, unknown>) => boolean): Promise<Record<string, unknown>>;
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null; stderr: string }>;
  /** Sends a signal; SIGKILL and SIGTERM are awaited. */
  kill(signal: NodeJS.Signals): Promise<void>;
}

const running = new Set<ChildProcess>();
const folders: string[] = [];
const looks: (() => Promise<void>)[] = [];

/** Builds once a run: what is tested is what is shipped. */
export function buildSkep(): void {
  execFileSync(join(root, 'bin/build'), { stdio: 'pipe' });
}

/** The same where several suites at once may want it: one builds, and the others wait for that. */
export async function buildSkepOnce(): Promise<void> {
  mkdirSync(join(root, '.cache'), { recursive: true });
  await withLock({ file: join(root, '.cache/build.lock'), clock: systemClock, waitMs: 110_000 }, async () => buildSkep());
}

/** `before`: a command that runs another, such as `unshare --net`. */
export function skep(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  before: readonly string[] = [],
): SkepProcess {
  const [program = '', ...argv] = [...before, process.execPath, join(root, 'bin/skep'), ...args];
  const child = spawn(program, argv, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...env },
  });
  running.add(child);
  const lines: Record<string, unknown>[] = [];
  const waiting = new Set<() => void>();
  createInterface({ input: child.stdout }).on('line', text => {
    lines.push(JSON.parse(text) as Record<string, unknown>);
    for (const look of waiting) look();
  });
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null; stderr: string }>(resolve => {
    child.once('close', (code, signal) => {
      running.delete(child);
      resolve({ code, signal, stderr });
      for (const look of waiting) look();
    });
  });
  return {
    pid: child.pid ?? 0,
    lines,
    stderr: () => stderr,
    ended,
    line: wanted =>
      new Promise((resolve, reject) => {
        const look = () => {
          const found = lines.find(wanted);
          if (found !== undefined) resolve(found);
          else if (child.exitCode !== null || child.signalCode !== null) reject(new Error(`skep ${args[0]} ended: ${stderr}`));
          else return;
          waiting.delete(look);
        };
        waiting.add(look);
        look();
      }),
    async kill(signal) {
      child.kill(signal);
      if (signal !== 'SIGSTOP' && signal !== 'SIGCONT') await ended;
    },
  };
}

export function tempFolder(): string {
  const folder = ownFolder('skep-test-');
  folders.push(folder);
  return folder;
}

/** Again until it is gone: the git that a killed server had begun may write a last file into it. */
async function removeFolder(folder: string): Promise<void> {
  await until(`${folder} to be gone`, async () => {
    try {
      await removeOwn(folder);
      return true;
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOTEMPTY') return undefined;
      throw error;
    }
  });
}

/** What is looked at when the test is over, before its processes are ended; it throws where something is wrong. */
export function lookAtEnd(look: () => Promise<void>): void {
  looks.push(look);
}

/** For afterEach: looks at what is to be looked at, ends what is left of a test, by pid, and removes its folders with the databases in them. */
export async function endAll(): Promise<void> {
  const looked = await Promise.allSettled(looks.splice(0).map(look => look()));
  for (const child of [...running]) {
    const closed = new Promise(resolve => child.once('close', resolve));
    child.kill('SIGCONT');
    child.kill('SIGKILL');
    await closed;
  }
  for (const folder of folders.splice(0)) await removeFolder(folder);
  for (const outcome of looked) if (outcome.status === 'rejected') throw outcome.reason;
}

/** Asks until it is so. What a test waits for in another process announces itself by no signal, so it is asked often. */
export async function until<T>(what: string, ask: () => Promise<T | undefined> | T | undefined, ms = 30_000): Promise<T> {
  const end = systemClock.mono() + ms;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (systemClock.mono() > end) throw new Error(`waited ${ms} ms in vain for: ${what}`);
    await systemClock.sleep(25);
  }
}

/** `T` while a process is stopped, undefined when it is gone. */
export function processState(pid: number): string | undefined {
  const stat = `/proc/${pid}/stat`;
  if (!existsSync(stat)) return undefined;
  try {
    return readFileSync(stat, 'utf8').replace(/^.*\) /s, '')[0];
  } catch {
    return undefined;
  }
}

/** Pids of all processes on whose command line `word` stands. */
export function processesWith(word: string): number[] {
  const out = execFileSync('ps', ['-eo', 'pid=,args='], { encoding: 'utf8' });
  return out
    .split('\n')
    .filter(line => line.includes(word) && !line.includes('ps -eo'))
    .map(line => Number.parseInt(line, 10));
}
