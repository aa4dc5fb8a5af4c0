import { lastWords } from '../failure.ts';
import type { Sandbox, SandboxExit } from '../sandbox.ts';

export interface InsideOptions {
  readonly signal: AbortSignal;
  readonly stdin?: string;
  readonly timeoutMs?: number;
  readonly outputBytesMax?: number;
  /** Where stdout goes instead of into the answer. */
  readonly onStdout?: (chunk: Buffer) => void;
}

export interface Answer {
  readonly code: number;
  readonly stdout: string;
  /** Git's own words, fit to be shown. */
  readonly words: string;
  readonly reason: SandboxExit['reason'];
}

const outputBytesMax = 262_144;
const defaultTimeoutMs = 600_000;

/**
 * Runs git inside the sandbox: the repository there is the agent's, and its settings can start programs. Code 0 means that it
 * ended well. Throws the signal's reason when aborted.
 */
export async function gitInside(sandbox: Sandbox, args: readonly string[], options: InsideOptions): Promise<Answer> {
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  const keep = options.onStdout ?? ((chunk: Buffer) => void stdout.push(chunk));
  const exit = await sandbox.exec({
    argv: ['git', ...withoutPrograms, ...args],
    env: { GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: gitConfigPath, GIT_TERMINAL_PROMPT: '0', LC_ALL: 'C' },
    timeoutMs: options.timeoutMs ?? defaultTimeoutMs,
    outputBytesMax: options.outputBytesMax ?? outputBytesMax,
    onOutput: (stream, chunk) => (stream === 'stdout' ? keep(chunk) : void stderr.push(chunk)),
    signal: options.signal,
    ...(options.stdin === undefined ? {} : { stdin: options.stdin }),
  });
  options.signal.throwIfAborted();
  const code = exit.reason === 'exited' ? exit.code : -1;
  const words = lastWords(Buffer.concat(stderr)) || ended(exit);
  return { code, stdout: Buffer.concat(stdout).toString('utf8'), words, reason: exit.reason };
}

/** Not for safety, the sandbox sees to that: an agent's own hooks and monitors must not change what is collected. */
const withoutPrograms = [
  '-c',
  'core.hooksPath=/dev/null',
  '-c',
  'core.fsmonitor=false',
  '-c',
  'gc.auto=0',
  '-c',
  'commit.gpgSign=false',
];

const gitConfigPath = '/skep/gitconfig';

/** Files that git inside a sandbox reads. */
export const gitFiles = [
  { path: gitConfigPath, content: '[safe]\n\tdirectory = *\n[advice]\n\tdetachedHead = false\n' },
  { path: '/skep/git-template/config', content: '[user]\n\tname = Skep agent\n\temail = agent@skep.invalid\n[gc]\n\tauto = 0\n' },
];

function ended(exit: SandboxExit): string {
  switch (exit.reason) {
    case 'exited':
      return `exit code ${exit.code}`;
    case 'signaled':
      return `it was ended by ${exit.signal}`;
    case 'not_found':
      return "git is not installed under /usr of the worker's machine";
    default:
      return exit.reason.replaceAll('_', ' ');
  }
}
