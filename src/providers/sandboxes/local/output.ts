import { chmodSync, closeSync, constants, openSync } from 'node:fs';
import { Socket } from 'node:net';
import type { SandboxCommand } from '../../../worker/sandbox.ts';
import type { Pipes } from './lanes.ts';

type Stream = 'stdout' | 'stderr';

/** Both ends of both pipes of a command. */
export interface Ends {
  /** For the child; `closeWriters` once it has them, or the end is never seen. */
  readonly writers: Readonly<Record<Stream, number>>;
  closeWriters(): void;
  readonly readers: Readonly<Record<Stream, number>>;
}

export interface Output {
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
  readonly readers: Ends['readers'];
  readonly command: SandboxCommand;
  readonly onLimit: () => void;
  readonly onError: (error: unknown) => void;
  /** The first byte on stdout: only the command itself writes there. */
  readonly onSpeak: () => void;
}

/** More than any set-up step says: then it is the command that talks. */
const WORDS_BYTES_MAX = 16 * 1024;

/** Named pipes, because Node makes sockets for its children, and a socket cannot be opened again as /dev/stdout. */
export function openEnds(pipes: Pipes): Ends {
  const readers = { stdout: -1, stderr: -1 };
  const writers = { stdout: -1, stderr: -1 };
  try {
    for (const stream of streams) {
      // The command before may have taken the right from its own pipe.
      chmodSync(pipes[stream], 0o600);
      // A pipe opened for reading without a writer would wait; opened for writing without a reader it would fail: hence this order.
      readers[stream] = openSync(pipes[stream], constants.O_RDONLY | constants.O_NONBLOCK);
      writers[stream] = openSync(pipes[stream], constants.O_WRONLY);
    }
  } catch (error) {
    closeAll(readers);
    closeAll(writers);
    throw error;
  }
  return { readers, writers, closeWriters: () => closeAll(writers) };
}

const streams = ['stdout', 'stderr'] as const;

export function closeAll(ends: Readonly<Record<Stream, number>>): void {
  for (const fd of Object.values(ends)) if (fd >= 0) closeSync(fd);
}

/** Chunks are handed on as they come and nothing is kept, so memory stays bounded: a slow receiver slows the command. */
export function readOutput({ readers, command, onLimit, onError, onSpeak }: Options): Output {
  let left = command.outputBytesMax;
  let held: Buffer[] | undefined = [];

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

  const sockets = streams.map(stream => {
    const socket = new Socket({ fd: readers[stream], readable: true, writable: false });
    socket.on('data', chunk => receive(stream, chunk));
    socket.on('error', onError);
    return socket;
  });

  return {
    release,
    words: () => Buffer.concat(held ?? []).toString(),
    ended: Promise.all(sockets.map(socket => new Promise<void>(resolve => socket.once('close', () => resolve())))),
    destroy: () => sockets.forEach(socket => socket.destroy()),
  };
}
