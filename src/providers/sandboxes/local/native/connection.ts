import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import type { Socket } from 'node:net';
import { setupFault, SYSTEM_PATH } from '../host/tools.ts';
import { createReader, frame, heard, sent } from './frames.ts';
import type { Heard } from './frames.ts';

/** One launcher that runs. */
export interface Connection {
  /** Goes out with what else is said in the same moment; `now`: at once, with what was said before it. */
  send(kind: number, id: number, parts?: readonly Buffer[]): void;
  now(): void;
  /** Resolves when it can start sandboxes; rejects with Fault `sandbox_unavailable`. */
  readonly ready: Promise<void>;
  readonly isOver: () => boolean;
  /** Whether it could start sandboxes, at some time. */
  readonly wasReady: () => boolean;
  /** The worker stays while something is on its way. */
  busy(isBusy: boolean): void;
  /** Ends it, and with it all that it has started. */
  close(): void;
}

interface Connect {
  readonly path: string;
  readonly config: readonly Buffer[];
  readonly onFrame: (frame: Heard) => void;
  /** With its last words. */
  readonly onEnd: (words: string) => void;
}

/** The command line of what it starts is written over its own: room for the name of a folder. */
const room = '-'.repeat(400);
const wordsMax = 2_000;

/** Throws Fault `sandbox_unavailable` where no process can be started. */
export function connect({ path, config, onFrame, onEnd }: Connect): Connection {
  const child = spawn(path, ['serve', String(process.pid), room], {
    stdio: ['pipe', 'pipe', 'pipe'],
    cwd: '/',
    env: { PATH: SYSTEM_PATH, LC_ALL: 'C' },
  });
  child.on('error', () => {});
  if (child.pid === undefined) throw setupFault(`${path} could not be started: no process or descriptor is free`);
  let words = '';
  let isOver = false;
  let wasReady = false;
  let wasBusy: boolean | undefined;
  let settle: { readonly done: () => void; readonly failed: (error: unknown) => void };
  const ready = new Promise<void>((done, failed) => {
    settle = { done, failed };
  });
  // Whoever does not wait for it hears of it by what becomes of the commands.
  ready.catch(() => {});

  function take(heardFrame: Heard): void {
    if (heardFrame.kind !== heard.ready) return onFrame(heardFrame);
    wasReady = true;
    settle.done();
  }

  const read = createReader(take);
  child.stdout.on('data', (chunk: Buffer) => {
    try {
      read(chunk);
    } catch (error) {
      words += String(error);
      child.kill('SIGKILL');
    }
  });
  child.stderr.on('data', (chunk: Buffer) => void (words = `${words}${chunk.toString()}`.slice(-wordsMax)));
  for (const stream of [child.stdin, child.stdout, child.stderr]) stream.on('error', () => {});
  child.once('close', () => {
    isOver = true;
    settle.failed(setupFault(words || 'the launcher of sandboxes ended without a word'));
    onEnd(words);
  });
  const { send, flush } = inBatches(frames => void child.stdin.write(frames));
  send(frame(sent.config, 0, config));
  return {
    ready,
    send: (kind, id, parts) => send(frame(kind, id, parts)),
    now: flush,
    isOver: () => isOver,
    wasReady: () => wasReady,
    busy(isBusy) {
      if (isBusy === wasBusy) return;
      wasBusy = isBusy;
      if (isBusy) loud(child);
      else quiet(child);
    },
    close: () => void child.kill('SIGKILL'),
  };
}

/** Each write wakes the launcher: what is said in one moment is said together, but not so much of it that the launcher has to wait. */
export function inBatches(write: (all: Buffer) => void): { send(one: Buffer): void; flush(): void } {
  let batch: Buffer[] = [];
  function flush(): void {
    const [first, ...more] = batch;
    batch = [];
    if (first !== undefined) write(more.length === 0 ? first : Buffer.concat([first, ...more]));
  }
  return {
    send(one) {
      batch.push(one);
      if (batch.length === batchMax) flush();
      else if (batch.length === 1) process.nextTick(flush);
    },
    flush,
  };
}

const batchMax = 16;

function streamsOf(child: ChildProcess): Socket[] {
  // Pipes of a child are sockets, which its types do not say.
  return [child.stdin, child.stdout, child.stderr].flatMap(stream => (stream === null ? [] : [stream as unknown as Socket]));
}

function quiet(child: ChildProcess): void {
  child.unref();
  for (const stream of streamsOf(child)) stream.unref();
}

function loud(child: ChildProcess): void {
  child.ref();
  for (const stream of streamsOf(child)) stream.ref();
}
