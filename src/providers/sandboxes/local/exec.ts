import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, unlinkSync } from 'node:fs';
import { constants as os } from 'node:os';
import type { Readable, Writable } from 'node:stream';
import type { Clock } from '../../../kernel/clock.ts';
import { Fault } from '../../../kernel/fault.ts';
import type { SandboxCommand, SandboxExit } from '../../../worker/sandbox.ts';
import type { Cgroup } from './host/cgroups.ts';
import { setupFault, SYSTEM_PATH } from './host/tools.ts';
import type { Pipes } from './lanes.ts';
import { FD } from './launch.ts';
import { openOutput } from './output.ts';
import type { Output } from './output.ts';
import { commandOf, firstChild, programStarted, readStatus } from './status.ts';

type StopReason = 'timeout' | 'output_limit' | 'workspace_full' | 'aborted';

interface Job {
  readonly launch: readonly [string, ...string[]];
  readonly arguments: Buffer;
  readonly pipes: Pipes;
  /** The file of the filter. */
  readonly seccomp: string;
  /** A file to be read as standard input; its name is removed. */
  readonly stdin: string | undefined;
  readonly command: SandboxCommand;
  /** Of the sandbox. */
  readonly workspaceBytesMax: number;
  readonly cgroup: Cgroup | undefined;
  /** Descriptors that the worker itself was given and that would be handed on. */
  readonly inherited: readonly number[];
  readonly clock: Clock;
}

export interface Execution {
  readonly done: Promise<SandboxExit>;
  /** The launcher. */
  readonly pid: number | undefined;
  stop(reason?: 'aborted' | 'workspace_full'): void;
}

/** Starts the command. `done` resolves when nothing of the sandbox is left; it throws Fault `sandbox_unavailable` where the set-up failed. */
export function execute(job: Job): Execution {
  const { command, clock, cgroup, workspaceBytesMax } = job;
  const startedMs = clock.mono();
  const over = new AbortController();
  const oomBefore = cgroup?.oomKills() ?? 0;
  let stopped: StopReason | undefined;
  let broken: unknown;
  let begun = false;
  let giveUp = (): void => {};
  const givenUp = new Promise<'given up'>(resolve => {
    giveUp = () => resolve('given up');
  });

  const output = openOutput({
    pipes: job.pipes,
    command,
    onLimit: () => stop('output_limit'),
    onError: fail,
    onSpeak: begin,
  });
  const child = start(job, output);
  const exitCode = readStatus(child.stdio[FD.status] as Readable, () => {
    void programStarted(child.pid ?? 0, clock, over.signal).then(seen => seen && begin());
  });

  function begin(): void {
    if (begun) return;
    begun = true;
    output.release();
    if (command.ask?.aborted) ask();
    command.onStart?.();
  }

  function fail(error: unknown): void {
    broken ??= error;
    stop('aborted');
  }

  function stop(reason: StopReason): void {
    stopped ??= reason;
    kill(child);
    void clock.sleep(CLEAR_MS_MAX, over.signal).then(giveUp);
  }

  async function finish(): Promise<SandboxExit> {
    const end = await Promise.race([exitOf(child), givenUp]);
    over.abort();
    if (end === 'given up') throw endlessFault();
    const code = exitCode();
    if (code !== undefined) begin();
    const words = output.words();
    await within(CLEAR_MS_MAX, output.ended, clock);
    if (broken !== undefined)
      throw broken instanceof Error ? broken : new Error('the receiver of the output failed', { cause: broken });
    const oom = (cgroup?.oomKills() ?? 0) > oomBefore;
    const durationMs = clock.mono() - startedMs;
    return verdict({ stopped, workspaceBytesMax, oom, begun, code, words, durationMs });
  }

  function ask(): void {
    // The program that is asked must be the command's and not yet bubblewrap: that would end without a word of why.
    if (begun) askToEnd(child.pid);
  }

  void clock.sleep(command.timeoutMs, over.signal).then(() => over.signal.aborted || stop('timeout'));
  const abort = () => stop('aborted');
  command.signal?.addEventListener('abort', abort, { once: true });
  if (command.signal?.aborted) abort();
  command.ask?.addEventListener('abort', ask, { once: true });
  const done = finish().finally(() => {
    command.signal?.removeEventListener('abort', abort);
    command.ask?.removeEventListener('abort', ask);
    output.destroy();
  });
  return { done, pid: child.pid, stop: (reason = 'aborted') => stop(reason) };
}

function start(job: Job, output: Output): ChildProcess {
  try {
    return launch(job, output);
  } catch (error) {
    output.destroy();
    throw error;
  } finally {
    output.closeWriters();
  }
}

function launch({ launch, stdin, inherited, arguments: words, ...job }: Job, { writers }: Output): ChildProcess {
  const [program, ...args] = launch;
  const seccomp = openSync(job.seccomp, 'r');
  const nothing = openSync('/dev/null', 'r+');
  const input = stdin === undefined ? nothing : openSync(stdin, 'r');
  if (stdin !== undefined) unlinkSync(stdin);
  const stdio: ('pipe' | 'ignore' | number)[] = [input, writers.stdout, writers.stderr, 'pipe', 'pipe', seccomp];
  for (const fd of inherited) {
    while (stdio.length < fd) stdio.push('ignore');
    stdio[fd] ??= nothing;
  }
  try {
    const child = spawn(program, args, { stdio, cwd: '/', env: { PATH: SYSTEM_PATH, LC_ALL: 'C' } });
    child.on('error', () => {});
    if (child.pid === undefined) throw setupFault(`${program} could not be started: no process or descriptor is free`);
    const writer = child.stdio[FD.arguments] as Writable;
    // bubblewrap that died before reading says why on stderr.
    writer.on('error', () => {});
    writer.end(words);
    return child;
  } catch (error) {
    throw isTooBig(error)
      ? new Fault('too_large', { message: 'the arguments of the command are too large', hint: 'pass them on stdin' })
      : error;
  } finally {
    for (const fd of new Set([seccomp, nothing, input])) closeSync(fd);
  }
}

function isTooBig(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'E2BIG';
}

/**
 * Ends process 1 of the outer pid namespace, with which the kernel ends all in it. Where the launcher has none yet, or has
 * just made it, the launcher ends, and its child by the death signal.
 */
function kill(child: ChildProcess): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  try {
    process.kill(firstChild(child.pid) ?? child.pid, 'SIGKILL');
  } catch {
    // Gone since the look: the launcher is about to end.
  }
}

/** What its children make of it is the command's affair, and with its end theirs comes. */
function askToEnd(launcher: number | undefined): void {
  const own = commandOf(launcher);
  try {
    if (own !== undefined) process.kill(own, 'SIGTERM');
  } catch {
    // Gone since the look.
  }
}

const CLEAR_MS_MAX = 10_000;

/** The output stays open as long as a process holds it. */
async function within(limitMs: number, ended: Promise<unknown>, clock: Clock): Promise<void> {
  const over = new AbortController();
  const late = clock.sleep(limitMs, over.signal).then(() => !over.signal.aborted);
  const stuck = await Promise.race([ended.then(() => false), late]);
  over.abort();
  if (stuck) throw endlessFault();
}

/** What is frozen, or waits for a disk that does not answer, is dead and ends when it is let go on; nobody need wait for that. */
function endlessFault(): Fault {
  return new Fault('failed', { message: 'a process of a sandbox does not end', hint: 'look for one in state D' });
}

/** `exit` and not `close`: the output may be held open by processes that are about to be killed. */
async function exitOf(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  const status = child.stdio[FD.status];
  if (status && !status.closed) await once(status, 'close');
}

interface Ended {
  readonly stopped: StopReason | undefined;
  readonly workspaceBytesMax: number;
  readonly oom: boolean;
  readonly begun: boolean;
  readonly code: number | undefined;
  readonly words: string;
  readonly durationMs: number;
}

function verdict({ stopped, workspaceBytesMax, oom, begun, code, words, durationMs }: Ended): SandboxExit {
  if (stopped === 'workspace_full') return { reason: stopped, workspaceBytesMax, durationMs };
  if (stopped !== undefined) return { reason: stopped, durationMs };
  // A command that lost a child to the limit and yet succeeded has coped.
  if (oom && code !== 0) return { reason: 'out_of_memory', durationMs };
  if (code !== undefined) {
    const signal = Object.entries(os.signals).find(([, number]) => number === code - 128)?.[0];
    return signal === undefined ? { reason: 'exited', code, durationMs } : { reason: 'signaled', signal, durationMs };
  }
  if (begun) return { reason: 'signaled', signal: 'SIGKILL', durationMs };
  // Nothing but bubblewrap could write these words: no program was started.
  if (/^bwrap: execvp /m.test(words)) return { reason: 'not_found', durationMs };
  if (/^bwrap: Can't chdir to /m.test(words))
    throw new Fault('invalid_request', { message: 'the folder to run in does not exist in the workspace' });
  throw setupFault(words);
}
