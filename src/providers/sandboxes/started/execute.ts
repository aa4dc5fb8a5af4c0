import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { constants as os } from 'node:os';
import type { Readable, Writable } from 'node:stream';
import type { Clock } from '../../../kernel/clock.ts';
import { Fault } from '../../../kernel/fault.ts';
import type { SandboxCommand, SandboxExit, SandboxLimits } from '../../../worker/sandbox.ts';
import { createSpeech } from './speech.ts';
import { preamble } from './starter.ts';
import type { Counting, Word } from './starter.ts';

/** A process that was started to become a starter, or to bring one about. */
export interface Launched {
  readonly child: ChildProcess;
  /** Where the starter reads. */
  readonly input: Writable;
  /** What of the command's standard input is to follow there; undefined where it has none there. */
  readonly follows: string | Uint8Array | undefined;
  /** Whether the command is left the standard input that was there. */
  readonly hasInput: boolean;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Kills all that runs, when the starter has spoken. */
  kill(): void;
  /** Breaks the start off, before the starter has spoken. */
  breakOff(): void;
  /** Sends SIGTERM to the command's own process. */
  ask(): void;
  /** Process 1 as the host sees it; undefined where it doesn't. */
  init(): number | undefined;
  /** The command has ended, and its starter may wait for what this does. */
  onEnded?(): void;
  /** Whether the kernel has killed of it for want of memory, where the host can know. The starter says when the command has ended. */
  killedForMemory(hasEnded: boolean): boolean;
  /** When all is over; may be called without any of the above. */
  release(): void;
}

interface Job {
  readonly token: string;
  readonly command: SandboxCommand;
  readonly launched: Launched;
  readonly limits: Pick<SandboxLimits, 'workspaceBytes'>;
  readonly clock: Clock;
  /** How long what was killed may take to be gone. */
  readonly clearMsMax: number;
  readonly counting: Counting;
  readonly processesMax: number | undefined;
  /** What is wrong where the starter never spoke, by the words of whoever should have brought it about. */
  readonly fault: (words: string) => Fault;
}

export interface Execution {
  readonly done: Promise<SandboxExit>;
  init(): number | undefined;
  stop(reason?: 'aborted' | 'workspace_full'): void;
}

type StopReason = 'timeout' | 'output_limit' | 'workspace_full' | 'aborted';

/** Starts the command. `done` resolves when nothing of it is left; it throws as Sandbox.exec says. */
export function execute({ token, command, launched, limits, clock, clearMsMax, fault, ...said }: Job): Execution {
  const startedMs = clock.mono();
  const over = new AbortController();
  const spoken = new Set<Word>();
  const setting = preamble({ token, command, ...said, hasInput: launched.hasInput });
  let stopped: StopReason | undefined;
  let broken: unknown;
  let giveUp = (): void => {};
  const givenUp = new Promise<'given up'>(resolve => {
    giveUp = () => resolve('given up');
  });

  const speech = createSpeech({ token, command, onWord, onLimit: () => stop('output_limit'), onError: fail });
  const { child, input, stdout, stderr } = launched;
  const closed = Promise.all([
    heard(stdout, chunk => speech.hear('stdout', chunk)),
    heard(stderr, chunk => speech.hear('stderr', chunk)),
  ]);
  // Whoever does not read to the end has ended.
  input.on('error', () => {});

  function onWord(word: Word): void {
    if (spoken.has(word)) return;
    spoken.add(word);
    if (word === 'hello') hello();
    if (word === 'ended') launched.onEnded?.();
    if (word !== 'ready') return;
    if (command.ask?.aborted) launched.ask();
    command.onStart?.();
  }

  function hello(): void {
    if (stopped !== undefined) return launched.kill();
    input.write(setting);
    input.end(launched.follows ?? '');
  }

  function fail(error: unknown): void {
    broken ??= error;
    stop('aborted');
  }

  function stop(reason: StopReason): void {
    stopped ??= reason;
    if (spoken.has('hello')) launched.kill();
    else launched.breakOff();
    void clock.sleep(clearMsMax, over.signal).then(giveUp);
  }

  async function finish(): Promise<SandboxExit> {
    const end = await Promise.race([exitOf(child).then(() => closed), givenUp]);
    over.abort();
    if (end === 'given up')
      throw new Fault('failed', { message: 'a process of a sandbox does not end', hint: 'look for one in state D' });
    speech.end();
    if (broken !== undefined) throw errorOf(broken);
    const durationMs = clock.mono() - startedMs;
    if (stopped === 'workspace_full') return { reason: stopped, workspaceBytesMax: limits.workspaceBytes, durationMs };
    if (stopped !== undefined) return { reason: stopped, durationMs };
    const exit = verdict({ spoken, launched, durationMs });
    if (exit === undefined) throw fault(speech.engineWords());
    return exit;
  }

  const ask = (): void => void (spoken.has('ready') && launched.ask());
  void clock.sleep(command.timeoutMs, over.signal).then(() => over.signal.aborted || stop('timeout'));
  const abort = (): void => stop('aborted');
  command.signal?.addEventListener('abort', abort, { once: true });
  if (command.signal?.aborted) abort();
  command.ask?.addEventListener('abort', ask, { once: true });
  const done = finish().finally(() => {
    command.signal?.removeEventListener('abort', abort);
    command.ask?.removeEventListener('abort', ask);
    for (const stream of [stdout, stderr, input]) stream.destroy();
    launched.release();
  });
  return { done, init: () => launched.init(), stop: (reason = 'aborted') => stop(reason) };
}

function errorOf(broken: unknown): Error {
  return broken instanceof Error ? broken : new Error('the receiver of the output failed', { cause: broken });
}

/** Resolves when the stream has closed. */
function heard(stream: Readable, onChunk: (chunk: Buffer) => void): Promise<void> {
  stream.on('data', onChunk);
  stream.on('error', () => {});
  return new Promise(resolve => stream.once('close', () => resolve()));
}

async function exitOf(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}

interface Ended {
  readonly spoken: ReadonlySet<Word>;
  readonly launched: Launched;
  readonly durationMs: number;
}

/** Undefined where the starter never came so far as to say anything of the command. */
function verdict({ spoken, launched, durationMs }: Ended): SandboxExit | undefined {
  const { exitCode } = launched.child;
  if (spoken.has('memory') || (exitCode !== 0 && launched.killedForMemory(spoken.has('ended'))))
    return { reason: 'out_of_memory', durationMs };
  if (spoken.has('ready')) return endOf(exitCode, durationMs);
  if (spoken.has('program')) return { reason: 'not_found', durationMs };
  if (!spoken.has('folder')) return undefined;
  throw new Fault('invalid_request', { message: 'the folder to run in does not exist in the workspace' });
}

/** A shell tells of a death by a signal as 128 + its number. */
function endOf(code: number | null, durationMs: number): SandboxExit {
  if (code === null) return { reason: 'signaled', signal: 'SIGKILL', durationMs };
  const signal = Object.entries(os.signals).find(([, number]) => number === code - 128)?.[0];
  return signal === undefined ? { reason: 'exited', code, durationMs } : { reason: 'signaled', signal, durationMs };
}
