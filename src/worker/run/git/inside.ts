import { isFault } from '../../../kernel/fault.ts';
import { lastWords, runFailure } from '../../failure.ts';
import type { Sandbox, SandboxCommand, SandboxExit } from '../../sandbox.ts';
import { createTail } from '../tail.ts';

export interface InsideOptions {
  /** $1 and up of the script; data never stands in the script itself. */
  readonly args: readonly string[];
  readonly signal: AbortSignal;
  readonly stdin?: string;
  readonly outputBytesMax?: number;
  readonly timeoutMs?: number;
  /** Where stdout goes instead of into the answer. */
  readonly onStdout?: (chunk: Buffer) => void;
}

export interface Answer {
  readonly ok: boolean;
  readonly stdout: string;
  /** Git's own words, fit to be shown. */
  readonly words: string;
  readonly exit: SandboxExit;
}

const outputBytesMax = 262_144;
/** Of what git says, the end; a filter of the agent's may say as much as a bundle is large. */
const wordsBytesMax = 4_096;
const timeoutMs = 600_000;

/**
 * Runs a script of git commands inside the sandbox: the repository there is the agent's, and its settings can start programs.
 * Throws the signal's reason when aborted, and a run failure `sandbox` where git is missing.
 */
export async function gitInside(sandbox: Sandbox, script: string, options: InsideOptions): Promise<Answer> {
  const stdout: Buffer[] = [];
  const stderr = createTail(wordsBytesMax);
  const keep = options.onStdout ?? ((chunk: Buffer) => void stdout.push(chunk));
  const command: SandboxCommand = {
    // shell: each command in the sandbox costs as much as ten git commands; the text is ours and data comes as arguments.
    argv: ['sh', '-ec', script, 'skep', ...options.args],
    env: { ...withoutPrograms, GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: configPath, GIT_TERMINAL_PROMPT: '0', LC_ALL: 'C' },
    timeoutMs: options.timeoutMs ?? timeoutMs,
    outputBytesMax: options.outputBytesMax ?? outputBytesMax,
    onOutput: (stream, chunk) => (stream === 'stdout' ? keep(chunk) : stderr.add(chunk)),
    signal: options.signal,
    ...(options.stdin === undefined ? {} : { stdin: options.stdin }),
  };
  const exit = await sandbox.exec(command).catch((error: unknown) => {
    // Whose workspace it is took the right to enter it away: that is not for the worker to mend.
    throw isFault(error, 'invalid_request') ? runFailure('agent_failed', 'The workspace cannot be entered any more') : error;
  });
  options.signal.throwIfAborted();
  const words = lastWords(stderr.bytes());
  if (exit.reason === 'not_found' || (exit.reason === 'exited' && exit.code === 127)) {
    throw runFailure(
      'sandbox',
      `git cannot be run in a sandbox: it must be installed under /usr of the worker's machine: ${words}`,
    );
  }
  const ok = exit.reason === 'exited' && exit.code === 0;
  return {
    ok,
    stdout: Buffer.concat(stdout).toString('utf8'),
    words: exit.reason === 'timeout' ? ended(exit) : words || ended(exit),
    exit,
  };
}

/** Not for safety, the sandbox sees to that: an agent's own hooks and monitors must not change what is collected. */
const withoutPrograms = configured({
  'core.hooksPath': '/dev/null',
  'core.fsmonitor': 'false',
  'gc.auto': '0',
  'maintenance.auto': 'false',
  'commit.gpgSign': 'false',
  // What a lost machine takes with it is thrown away anyway.
  'core.fsync': 'none',
});

function configured(settings: Readonly<Record<string, string>>): Record<string, string> {
  const pairs = Object.entries(settings);
  const named = pairs.flatMap(([key, value], i) => [
    [`GIT_CONFIG_KEY_${i}`, key],
    [`GIT_CONFIG_VALUE_${i}`, value],
  ]);
  return { GIT_CONFIG_COUNT: String(pairs.length), ...(Object.fromEntries(named) as Record<string, string>) };
}

const configPath = '/skep/gitconfig';
export const templatePath = '/skep/git-template';

/** Files that git inside a sandbox reads; what `exclude` matches is no work of an agent's. */
export const gitFilesWith = (exclude: string): readonly { readonly path: string; readonly content: string }[] =>
  exclude === '' ? gitFiles : [...gitFiles, { path: `${templatePath}/info/exclude`, content: exclude }];

export const gitFiles = [
  { path: configPath, content: '[safe]\n\tdirectory = *\n[advice]\n\tdetachedHead = false\n' },
  {
    path: `${templatePath}/config`,
    content: '[user]\n\tname = Skep agent\n\temail = agent@skep.invalid\n[gc]\n\tauto = 0\n',
  },
];

function ended(exit: SandboxExit): string {
  if (exit.reason === 'exited') return `exit code ${exit.code}`;
  return exit.reason === 'signaled' ? `ended by ${exit.signal}` : exit.reason.replaceAll('_', ' ');
}
