import { chmodSync, closeSync, constants, openSync } from 'node:fs';
import { Socket } from 'node:net';
import type { SandboxCommand } from '../../../worker/sandbox.ts';
import type { Pipes } from './lanes.ts';

type Stream = 'stdout' | 'stderr';

export interface Output {
  /** Write ends for the child; `closeWriters` once it has them, or the end is never seen. */
  readonly writers: { readonly stdout: number; readonly stderr: number };
  closeWriters(): void;
  /** The command runs: what stood on stderr so far is its own and is handed on. */
  release(): void;
  /** What stood on stderr while nothing but the set-up could write there. */
  words(): string;
  /** Resolves when both streams have ended. */
  readonly ended: Promise<unknown>;
  /** Stops reading at once. */
  destroy(): void;
}

interface Options {
  readonly pipes: Pipes;
  readonly command: SandboxCommand;
  readonly onLimit: () => void;
  readonly onError: (error: unknown) => void;
  /** The first byte on stdout: only the command itself writes there. */
  readonly onSpeak: () => void;
}

/** More than any set-up step says: then it is the command that talks. */
const WORDS_BYTES_MAX = 16 * 1024;

/**
 * Both streams through named pipes, because Node makes sockets for its children, and a socket cannot be opened again as
 * /dev/stdout. Chunks are handed on as they come and nothing is kept, so memory stays bounded: a slow receiver slows the command.
 */
export function openOutput({ pipes, command, onLimit, onError, onSpeak }: Options): Output {
  let left = command.outputBytesMax;
  let held: Buffer[] | undefined = [];
  const writers = { stdout: -1, stderr: -1 };

  function deliver(stream: Stream, chunk: Buffer): void {
    if (left < 0) return;
    const part = chunk.subarray(0, left);
    left -= chunk.length;
    try {
      if (part.length > 0) command.onOutput(stream, part);
    } catch (error) {
      onError(error);
    }
    if (left < 0) onLimit();
  }

  function release(): void {
    const before = held ?? [];
    held = undefined;
    for (const chunk of before) deliver('stderr', chunk);
  }

  function receive(stream: Stream, chunk: Buffer): void {
    if (stream === 'stdout') onSpeak();
    if (stream === 'stderr' && held !== undefined) {
      held.push(chunk);
      if (held.reduce((sum, { length }) => sum + length, 0) > WORDS_BYTES_MAX) release();
    } else deliver(stream, chunk);
  }

  const sockets = (['stdout', 'stderr'] as const).map(stream => {
    const path = pipes[stream];
    // The command before may have taken the right from its own pipe.
    chmodSync(path, 0o600);
    // A pipe opened for reading without a writer would wait; opened for writing without a reader it would fail: hence this order.
    const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    writers[stream] = openSync(path, constants.O_WRONLY);
    const socket = new Socket({ fd, readable: true, writable: false });
    socket.on('data', chunk => receive(stream, chunk));
    socket.on('error', onError);
    return socket;
  });

  return {
    writers,
    closeWriters: () => Object.values(writers).forEach(fd => closeSync(fd)),
    release,
    words: () => Buffer.concat(held ?? []).toString(),
    ended: Promise.all(sockets.map(socket => new Promise<void>(resolve => socket.once('close', () => resolve())))),
    destroy: () => sockets.forEach(socket => socket.destroy()),
  };
}
