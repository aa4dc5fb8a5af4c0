import { execa } from 'execa';
import type { Clock } from '../../kernel/clock.ts';

interface GroupOptions {
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

export interface GroupResult {
  readonly ok: boolean;
  readonly timedOut: boolean;
  readonly stdout: string;
  readonly stderr: string;
  /** Such as ENOENT where the program is missing. */
  readonly code: string | undefined;
  readonly exitCode: number | undefined;
}

/** For what a program does when it is asked to end, such as removing its half-written files. */
const killDelayMs = 5_000;
const outputBytesMax = 16 * 1_048_576;

/**
 * Runs a program in a process group of its own. When the time is up or the signal comes, all of the group is ended: the programs
 * that git starts hold its pipes and its lock, and would wait on a dead network long after it. Nor does Ctrl-C reach them, which
 * lets runs end.
 */
export async function runGroup([program = '', ...args]: readonly string[], options: GroupOptions): Promise<GroupResult> {
  const { cwd, env, clock, timeoutMs, signal } = options;
  const over = new AbortController();
  let timedOut = false;
  const child = execa(program, args, {
    reject: false,
    cwd,
    env,
    stdin: 'ignore',
    detached: true,
    cleanup: false,
    maxBuffer: outputBytesMax,
  });

  async function end(): Promise<void> {
    kill(child.pid, 'SIGTERM');
    await clock.sleep(killDelayMs, over.signal);
    if (!over.signal.aborted) kill(child.pid, 'SIGKILL');
  }

  async function watch(): Promise<void> {
    await clock.sleep(timeoutMs, over.signal);
    if (over.signal.aborted) return;
    timedOut = true;
    await end();
  }

  const onAbort = (): void => void end();
  if (signal?.aborted) onAbort();
  signal?.addEventListener('abort', onAbort, { once: true });
  void watch();
  try {
    const { failed, stdout, stderr, code, exitCode } = await child;
    return { ok: !failed, timedOut, stdout, stderr, code, exitCode };
  } finally {
    over.abort();
    signal?.removeEventListener('abort', onAbort);
  }
}

function kill(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // It has ended by itself.
  }
}
