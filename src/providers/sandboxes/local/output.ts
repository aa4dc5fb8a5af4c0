import { chmodSync, closeSync, constants, openSync } from 'node:fs';
import { Socket } from 'node:net';
import type { SandboxCommand } from '../../../worker/sandbox.ts';

type Stream = 'stdout' | 'stderr';

/** Named pipes for what a command prints. */
export interface Pipes {
  readonly stdout: string;
  readonly stderr: string;
}

/** Both ends of both pipes of a command. */
export interface Ends {
  /** For the child; `closeWriters` once it has them, or the end is never seen. */
  readonly writers: Readonly<Record<Stream, number>>;
  closeWriters(): void;
  /** Made when it is first asked for. */
  reader(stream: Stream): Socket;
  /** Makes both readers for a command that nobody has asked for yet: no process stays for them. */
  wait(): void;
  /** All that is open still. Never throws. */
  close(): void;
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
  readonly ends: Ends;
  readonly command: SandboxCommand;
  readonly onLimit: () => void;
  readonly onError: (error: unknown) => void;
  /** The first byte on stdout: only the command itself writes there. */
  readonly onSpeak: () => void;
}

/** More than any set-up step says: then it is the command that talks. */
const WORDS_BYTES_MAX = 16 * 1024;

/**
 * Named pipes, because Node makes sockets for its children, and a socket cannot be opened again as /dev/stdout. Throws the errors of the file
 * system.
 */
export function openEnds(pipes: Pipes): Ends {
  const reading = { stdout: -1, stderr: -1 };
  const writers = { stdout: -1, stderr: -1 };
  try {
    for (const stream of streams) {
      // The command before may have taken the right from its own pipe.
      chmodSync(pipes[stream], 0o600);
      // A pipe opened for reading without a writer would wait; opened for writing without a reader it would fail: hence this order.
      reading[stream] = openSync(pipes[stream], constants.O_RDONLY | constants.O_NONBLOCK);
      writers[stream] = openSync(pipes[stream], constants.O_WRONLY);
    }
  } catch (error) {
    closeAll(reading);
    closeAll(writers);
    throw error;
  }
  const sockets = new Map<Stream, Socket>();
  function reader(stream: Stream): Socket {
    const socket = sockets.get(stream) ?? new Socket({ fd: reading[stream], readable: true, writable: false });
    reading[stream] = -1;
    sockets.set(stream, socket);
    return socket;
  }
  return {
    writers,
    closeWriters: () => closeAll(writers),
    reader,
    wait() {
      // Without a listener an error would end the worker. Who listens later hears of it by the end.
      for (const stream of streams)
        reader(stream)
          .unref()
          .on('error', () => {});
    },
    close() {
      for (const socket of sockets.values()) socket.destroy();
      closeAll(reading);
      closeAll(writers);
    },
  };
}

const streams = ['stdout', 'stderr'] as const;

/** Each once: the number of one that is closed is soon another's. */
function closeAll(ends: Record<Stream, number>): void {
  for (const stream of streams) {
    const fd = ends[stream];
    ends[stream] = -1;
    if (fd >= 0) closeSync(fd);
  }
}

/** Chunks are handed on as they come and nothing is kept, so memory stays bounded: a slow receiver slows the command. */
export function readOutput({ ends, command, onLimit, onError, onSpeak }: Options): Output {
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
    const socket = ends.reader(stream).ref();
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
