import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, unlinkSync } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import type { Clock } from '../../../../kernel/clock.ts';
import { Fault } from '../../../../kernel/fault.ts';
import { folderFault, setupFault, SYSTEM_PATH } from '../host/tools.ts';
import { FD } from '../launch.ts';
import type { Launched, Start } from '../launcher.ts';
import type { Ends } from '../output.ts';
import { commandOf, firstChild, initOf, programStarted, readStatus } from '../status.ts';

export interface Plain {
  readonly argv: readonly [string, ...string[]];
  /** What bubblewrap reads from a descriptor. */
  readonly words: Buffer;
  /** The file of the filter. */
  readonly seccomp: string;
  /** Descriptors that the worker itself was given and that would be handed on. */
  readonly inherited: readonly number[];
  readonly clock: Clock;
}

/** Starts a command by util-linux and bubblewrap, each a program that the next one replaces. */
export function launchPlain(plain: Plain, { ends, stdin, onBegin }: Start): Launched {
  const over = new AbortController();
  const child = begin(plain, stdin, ends);
  const exitCode = readStatus(child.stdio[FD.status] as Readable, () => {
    void programStarted(child.pid ?? 0, plain.clock, over.signal).then(seen => seen && onBegin());
  });
  return {
    init: () => initOf(child.pid),
    ended: exitOf(child).then(() => {
      over.abort();
      return exitCode();
    }),
    refusal,
    kill: () => kill(child),
    ask: () => askToEnd(child.pid),
  };
}

function begin(plain: Plain, stdin: string | undefined, ends: Ends): ChildProcess {
  try {
    return spawned(plain, stdin, ends);
  } finally {
    ends.closeWriters();
  }
}

function spawned({ argv, words, inherited, ...plain }: Plain, stdin: string | undefined, { writers }: Ends): ChildProcess {
  const [program, ...args] = argv;
  const seccomp = openSync(plain.seccomp, 'r');
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

/** `exit` and not `close`: the output may be held open by processes that are about to be killed. */
async function exitOf(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  const status = child.stdio[FD.status];
  if (status && !status.closed) await once(status, 'close');
}

/** Nothing but bubblewrap could write these words: no program was started. */
function refusal(words: string): Fault | 'not_found' {
  if (/^bwrap: execvp /m.test(words)) return 'not_found';
  if (/^bwrap: Can't chdir to /m.test(words)) return folderFault();
  return setupFault(words);
}
