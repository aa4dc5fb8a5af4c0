import { execa } from 'execa';
import { Readable } from 'node:stream';
import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Clock } from '../kernel/clock.ts';

interface GroupOptions {
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  readonly input?: string | Readable | undefined;
  /** Where stdout goes instead of into the result. It is not ended: only the caller knows whether all went well. */
  readonly output?: Writable | undefined;
  /** The group is ended when it prints more. Does not hold for `output`. */
  readonly outputBytesMax: number;
}

export interface GroupResult {
  readonly stdout: Buffer;
  /** The end of it. */
  readonly stderr: Buffer;
  /** Undefined where a signal ended it, or where it could not be started. */
  readonly exitCode: number | undefined;
  readonly signal: string | undefined;
  /** Such as ENOENT where the program is missing. */
  readonly code: string | undefined;
  readonly timedOut: boolean;
  /** There was more on stdout than allowed. */
  readonly overflowed: boolean;
  /** What broke `input` or `output`; a program that did not read all of `input` broke nothing. */
  readonly broken: Error | undefined;
}

/** For what a program does when it is asked to end, such as removing its half-written files. */
const killDelayMs = 5_000;
const stderrBytesMax = 65_536;

/**
 * Runs a program in a process group of its own. When the time is up or the signal comes, all of the group is ended: the programs
 * that git starts hold its pipes and its lock, and would wait on a dead network long after it. Nor does Ctrl-C reach them, which
 * lets runs end.
 */
export async function runGroup([program = '', ...args]: readonly string[], options: GroupOptions): Promise<GroupResult> {
  const { cwd, env, input, output, outputBytesMax } = options;
  const child = execa(program, args, {
    ...{ reject: false, buffer: false, cwd, env, detached: true, cleanup: false },
    stdin: input === undefined ? 'ignore' : 'pipe',
  });
  const end = endOf(child.pid, options);
  let broken: Error | undefined;
  const onBroken = (error: unknown) => void (broken ??= error instanceof Error ? error : new Error(String(error)));
  try {
    const fed = feed(child.stdin, input).catch(onBroken);
    const drained = output === undefined ? undefined : pipeline(child.stdout, output, { end: false }).catch(onBroken);
    const [stdout, stderr] = [
      output === undefined ? first(child.stdout, outputBytesMax, end.now) : undefined,
      last(child.stderr, stderrBytesMax),
    ];
    const { exitCode, code, signal } = await child;
    await Promise.all([fed, drained]);
    return {
      ...{ exitCode, code, signal, broken, timedOut: end.timedOut() },
      stdout: stdout?.taken() ?? Buffer.alloc(0),
      overflowed: stdout?.overflowed() ?? false,
      stderr: stderr(),
    };
  } finally {
    end.over();
  }
}

interface End {
  now(): void;
  over(): void;
  timedOut(): boolean;
}

/** Ends the group when the time is up or the signal comes: first politely. */
function endOf(pid: number | undefined, { clock, timeoutMs, signal }: GroupOptions): End {
  const over = new AbortController();
  let timedOut = false;

  async function end(): Promise<void> {
    kill(pid, 'SIGTERM');
    await clock.sleep(killDelayMs, over.signal);
    if (!over.signal.aborted) kill(pid, 'SIGKILL');
  }

  async function watch(): Promise<void> {
    await clock.sleep(timeoutMs, over.signal);
    if (over.signal.aborted) return;
    timedOut = true;
    await end();
  }

  const now = (): void => void end();
  if (signal?.aborted) now();
  signal?.addEventListener('abort', now, { once: true });
  void watch();
  return {
    now,
    timedOut: () => timedOut,
    over() {
      over.abort();
      signal?.removeEventListener('abort', now);
    },
  };
}

function kill(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // It has ended by itself.
  }
}

/**
 * Rejects with what broke the input. A program that ends before it has read all says itself why: then it is its stdin that closes
 * first, and the input is destroyed for that.
 */
async function feed(stdin: Writable | null, input: string | Readable | undefined): Promise<void> {
  if (stdin === null || input === undefined) return;
  const source = typeof input === 'string' ? Readable.from([Buffer.from(input)]) : input;
  let broken: Error | undefined;
  const onEnd = (error?: Error): void => {
    if (!stdin.destroyed && !source.readableEnded) broken ??= error ?? new Error('the input has no end');
  };
  if (source.destroyed) onEnd(source.errored ?? undefined);
  source.once('error', onEnd).once('close', onEnd);
  await pipeline(source, stdin).catch(() => {});
  if (broken !== undefined) throw broken;
}

/** The first bytes of a stream. */
function first(stream: Readable, bytesMax: number, onMore: () => void): { taken(): Buffer; overflowed(): boolean } {
  const chunks: Buffer[] = [];
  let bytes = 0;
  stream.on('data', (chunk: Buffer) => {
    if (bytes <= bytesMax) chunks.push(chunk);
    if (bytes <= bytesMax && bytes + chunk.length > bytesMax) onMore();
    bytes += chunk.length;
  });
  return { taken: () => Buffer.concat(chunks).subarray(0, bytesMax), overflowed: () => bytes > bytesMax };
}

/** The last bytes of a stream, and a little more. */
function last(stream: Readable, bytesMax: number): () => Buffer {
  let kept = Buffer.alloc(0);
  stream.on('data', (chunk: Buffer) => {
    kept = Buffer.concat([kept, chunk]);
    if (kept.length > 2 * bytesMax) kept = kept.subarray(kept.length - bytesMax);
  });
  return () => kept;
}
