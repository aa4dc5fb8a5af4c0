import { execa } from 'execa';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import type { Clock } from '../kernel/clock.ts';
import { Fault, isFault } from '../kernel/fault.ts';
import { environmentOf, writeConfig, writeTrusting } from './config.ts';
import { runGroup } from './group.ts';
import type { GroupResult } from './group.ts';
import { lastWords } from './words.ts';

/** Git on the host, for repositories that the host owns; it is never run where an agent can write. */
export interface HostGit {
  /**
   * Runs git to its end. Throws Fault `repository_unavailable` with git's words where it fails, is not installed or does not end
   * in time; `disk_full`; the signal's reason when aborted; what broke `input` or `output`.
   */
  run(args: readonly string[], options?: GitOptions): Promise<GitAnswer>;
  /** What it printed, without the end of the last line. */
  text(args: readonly string[], options?: GitOptions): Promise<string>;
}

export interface GitAnswer {
  readonly exitCode: number;
  /** Empty where it went to `output`. */
  readonly stdout: Buffer;
  /** With `cuts`: there was more. */
  readonly isCut: boolean;
  /** The end of stderr, fit to be shown. */
  readonly words: string;
}

export interface GitOptions {
  /** A file that no other git holds meanwhile. */
  readonly lock?: string | undefined;
  /** With `lock`: the git folder whose lock files, left by a git that was killed, are removed where they are in the way. */
  readonly clears?: string;
  /** Whether another repository may be reached; otherwise no transport can be started. */
  readonly reachesOut?: boolean;
  /** Settings that hold a secret: they pass through the environment, which other users can't read. */
  readonly secretConfig?: Readonly<Record<string, string>>;
  /** The git folder of another user that may be read all the same. */
  readonly trusted?: string | undefined;
  /** Words before `git` on the command line: how it is run as another user. */
  readonly through?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string | Readable | undefined;
  /** Where stdout goes instead of into the answer; not ended, so that a failure can be told from an end. */
  readonly output?: Writable;
  readonly outputBytesMax?: number;
  /** Whether an output that is too long is cut, instead of a failure. */
  readonly cuts?: boolean;
  /** Exit codes that are an answer. */
  readonly accepts?: readonly number[];
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs?: number;
}

const defaultTimeoutMs = 120_000;
const defaultOutputBytesMax = 16 * 1_048_576;

/**
 * Removes what a git that was killed has left in `gitDir`: its lock files would stop every later one. A git that lives holds
 * `lock` itself (flock hands it down), so this waits for it, even where the process that started it is dead.
 */
export async function clearLocks(gitDir: string, lock: string): Promise<void> {
  const find = ['find', gitDir, '-name', '*.lock', '-type', 'f', '-delete'];
  await execa('flock', ['--exclusive', '--no-fork', lock, ...find], {
    reject: false,
    stdin: 'ignore',
    stdout: 'ignore',
    timeout: 600_000,
  });
}

/** For the case that this process is killed: another repository, with a pipe where a ref should be, would keep git waiting for ever. */
function boundTo(timeoutMs: number): string[] {
  return ['timeout', '--kill-after=5', `${Math.ceil(timeoutMs / 1_000) + graceS}`];
}

/** Our own clock comes first, as long as there is one. */
const graceS = 10;

/** Reads nothing of what the machine or the user has configured, and can start no program that a repository names. */
export async function createHostGit(folder: string, clock: Clock): Promise<HostGit> {
  const usual = join(folder, 'gitconfig');
  await writeConfig(usual);

  async function runOnce(args: readonly string[], options: GitOptions): Promise<GitAnswer> {
    const { lock, trusted, signal, reachesOut = false, secretConfig = {}, timeoutMs = defaultTimeoutMs } = options;
    const command = [...(reachesOut ? boundTo(timeoutMs) : []), ...(options.through ?? []), 'git', ...args];
    const argv = lock === undefined ? command : ['flock', '--exclusive', '--no-fork', lock, ...command];
    // The folder is a cache, which may be lost under a server that lives; without its settings git would be another one.
    if (!existsSync(usual)) await writeConfig(usual);
    const configPath = trusted === undefined ? usual : await writeTrusting(usual, trusted);
    signal?.throwIfAborted();
    const result = await runGroup(argv, {
      ...{ cwd: folder, clock, timeoutMs, signal, input: options.input, output: options.output },
      env: { ...environmentOf({ configPath, folder, reachesOut, secretConfig }), ...options.env },
      outputBytesMax: options.outputBytesMax ?? defaultOutputBytesMax,
    });
    signal?.throwIfAborted();
    return answerOf(result, { options, timeoutMs, program: argv[0] ?? '', verb: verbOf(args) });
  }

  async function run(args: readonly string[], options: GitOptions = {}): Promise<GitAnswer> {
    try {
      return await runOnce(args, options);
    } catch (error) {
      const { lock, clears } = options;
      if (lock === undefined || clears === undefined || !isLeftLock(error)) throw error;
      await clearLocks(clears, lock);
      return runOnce(args, options);
    }
  }

  return {
    run,
    async text(args, options) {
      const { stdout } = await run(args, options);
      return stdout.toString('utf8').replace(/\n$/, '');
    },
  };
}

function isLeftLock(error: unknown): boolean {
  return /lock.*: File exists/s.test(wordsOf(error) ?? '');
}

interface Asked {
  readonly options: GitOptions;
  readonly timeoutMs: number;
  readonly program: string;
  readonly verb: string;
}

function answerOf(result: GroupResult, asked: Asked): GitAnswer {
  const { exitCode, stdout, timedOut, overflowed, broken } = result;
  const { accepts = [0], cuts = false, output } = asked.options;
  const words = lastWords(result.stderr);
  if (!timedOut && overflowed && cuts) return { exitCode: 0, stdout, words, isCut: true };
  const isWell = exitCode !== undefined && accepts.includes(exitCode) && !timedOut && !overflowed;
  if (broken !== undefined && !timedOut && (exitCode !== 0 || output !== undefined)) throw broken;
  if (isWell) return { exitCode, stdout, words, isCut: false };
  throw failureOf(result, words, asked);
}

function failureOf(result: GroupResult, words: string, { program, verb, timeoutMs }: Asked): Fault {
  const { code, timedOut, overflowed, exitCode, signal } = result;
  // EACCES: a folder of PATH that may not be entered hides that it is in none of them.
  if (code === 'ENOENT' || code === 'EACCES') {
    const hint = `Install ${program === 'git' ? 'git 2.38 or newer' : program} where Skep runs`;
    return new Fault('repository_unavailable', { message: `${program} is not installed on this machine`, hint });
  }
  if (/No space left on device|Disk quota exceeded/.test(words)) return new Fault('disk_full', { message: words });
  if (timedOut || overflowed || exitCode === undefined) {
    const how = timedOut
      ? `did not end within ${timeoutMs} ms`
      : overflowed
        ? 'printed more than allowed'
        : `was ended by ${signal ?? 'the system'}`;
    return new Fault('repository_unavailable', { message: `git ${verb} of the repository ${how}` });
  }
  const said = words || `exit code ${exitCode}`;
  const cause = new GitExit(said);
  return new Fault('repository_unavailable', { message: `git ${verb} of the repository failed: ${said}`, cause });
}

class GitExit extends Error {}

/** What git said when it failed by itself; undefined of every other error, such as one of time. */
export function wordsOf(error: unknown): string | undefined {
  return isFault(error, 'repository_unavailable') && error.cause instanceof GitExit ? error.cause.message : undefined;
}

/** The first word that is neither an option nor the value of one. */
function verbOf(args: readonly string[]): string {
  return args.find((arg, i) => !arg.startsWith('-') && args[i - 1] !== '-c') ?? '';
}
