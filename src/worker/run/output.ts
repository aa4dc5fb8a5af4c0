import { readSync } from 'node:fs';
import { logChunkBytesMax } from '../../../contract/runs.ts';
import type { Clock } from '../../kernel/clock.ts';
import { Fault, isFault } from '../../kernel/fault.ts';
import type { Log } from '../../kernel/log.ts';
import type { Protocol } from '../client.ts';
import type { Veil } from '../egress/plain/mask.ts';
import type { Lease } from '../lease.ts';
import { openNameless } from './files.ts';
import { createTail } from './tail.ts';

export interface OutputOptions {
  readonly lease: Lease;
  /** Sends a chunk, and may be told one twice. */
  readonly append: Protocol['appendLog'];
  /** Whether a chunk must end where a line ends; then each line is written at once, and is shorter than a chunk may be. */
  readonly isLines?: boolean;
  /** Opens, for a stream, what takes out of it, in as many bytes, what must not be kept. */
  readonly veil?: (() => Veil) | undefined;
  /** Is given the same as the server. */
  readonly onOutput?: ((chunk: Buffer) => void) | undefined;
  /** On the host, for what the server does not have yet. */
  readonly folder: string;
  /** Bytes kept; what comes after them is dropped. */
  readonly bytesMax: number;
  /** Bytes that the server has already. */
  readonly at: number;
  readonly clock: Clock;
  readonly log: Log;
}

/** What the other prints may come in between: a secret that lies in two chunks is found in its own. */
export type OutputStream = 'stdout' | 'stderr';

/** The way of what programs print, and of what an agent tells that it does, to the server. */
export interface Output {
  /** Never waits: a slow server makes the file grow, to `bytesMax`, and not the memory. */
  write(chunk: Buffer, stream?: OutputStream): void;
  /** Of what comes now, `tail` has the last so many bytes, and nothing of what came before. */
  begin(tailBytes: number): void;
  /** The last bytes as they are kept. Asked when a program has ended. */
  tail(): Buffer;
  /** Bytes that the server has by now. */
  logged(): number;
  /**
   * Resolves when the server has all of it, when it will never have it as the lease is lost, or after 2 minutes: a log that
   * can't be stored must leave time for the work itself. Throws Fault `disk_full`.
   */
  end(): Promise<void>;
}

const idleMs = 60_000;
const endMsMax = 120_000;
const gatherMs = 200;
const gatherBytes = 65_536;
const lastBytes = 4_096;
const newline = 0x0a;

export function createOutput({ veil, onOutput, ...options }: OutputOptions): Output {
  const sending = createSending(options);
  const veils = veil === undefined ? undefined : { stdout: veil(), stderr: veil() };
  let tail = createTail(lastBytes);

  function show(chunk: Buffer): void {
    if (chunk.length === 0) return;
    tail.add(chunk);
    onOutput?.(chunk);
    sending.keep(chunk);
  }

  function release(): void {
    for (const own of Object.values(veils ?? {})) show(own.rest());
  }

  return {
    write: (chunk, stream = 'stdout') => show(veils?.[stream].pass(chunk) ?? chunk),
    begin(tailBytes) {
      release();
      tail = createTail(tailBytes);
    },
    tail() {
      release();
      return tail.bytes();
    },
    logged: sending.logged,
    end() {
      release();
      return sending.end();
    },
  };
}

interface Sending extends Pick<Output, 'logged' | 'end'> {
  keep(chunk: Buffer): void;
}

/** Chunks go out every 200 ms or 64 KiB. */
function createSending({ lease, append, isLines = false, folder, bytesMax, at, clock, log }: OutputOptions): Sending {
  const file = openNameless(folder);
  let written = 0;
  let sent = 0;
  let hasEnded = false;
  let isGivenUp = false;
  let failure: Error | undefined;
  let wakeUp = (): void => {};

  function keep(chunk: Buffer): void {
    const isFirst = written === sent;
    const kept = chunk.subarray(0, bytesMax - written);
    if (hasEnded || failure !== undefined || kept.length === 0) return;
    try {
      file.append(kept);
    } catch (cause) {
      failure = new Fault('disk_full', { message: 'The worker could not keep the output', cause });
      return;
    }
    written += kept.length;
    if (isFirst || written - sent >= gatherBytes) wakeUp();
  }

  async function pump(): Promise<void> {
    while (!lease.signal.aborted && !isGivenUp && !(hasEnded && sent >= written)) {
      if (!hasEnded && written === sent) await rest(idleMs);
      if (!hasEnded && written - sent < gatherBytes) await rest(gatherMs);
      if (written > sent) await sendNext();
    }
  }

  async function rest(ms: number): Promise<void> {
    const nap = new AbortController();
    wakeUp = () => nap.abort();
    await clock.sleep(ms, nap.signal);
    wakeUp = () => {};
  }

  async function sendNext(): Promise<void> {
    const next = Buffer.alloc(Math.min(written - sent, logChunkBytesMax));
    readSync(file.descriptor, next, 0, next.length, sent);
    const bytes = isLines ? next.subarray(0, next.lastIndexOf(newline) + 1) : next;
    try {
      await lease.send((key, call) => append(key, { offset: at + sent, bytes }, call));
      sent += bytes.length;
    } catch (error) {
      const stored = isFault(error, 'log_gap') ? error.facts['size'] : undefined;
      if (typeof stored !== 'number' || stored >= at + sent || stored < at) throw error;
      sent = stored - at;
    }
  }

  const pumping = pump().catch((error: unknown) => {
    // A log with a hole is worse than none, and a run is not lost for its log.
    if (!lease.signal.aborted) log.warn({ error: String(error) }, 'the output of a run could not be stored');
  });
  return {
    keep,
    logged: () => at + sent,
    async end() {
      hasEnded = true;
      wakeUp();
      isGivenUp = !(await within(endMsMax, { clock, work: pumping }));
      if (isGivenUp) log.warn({ sent, written }, 'the end of the output of a run could not be stored in time');
      file.close();
      if (failure !== undefined) throw failure;
    },
  };
}

/** Whether `work` resolved in time. */
async function within(ms: number, { clock, work }: { clock: Clock; work: Promise<void> }): Promise<boolean> {
  const over = new AbortController();
  const isInTime = await Promise.race([work.then(() => true), clock.sleep(ms, over.signal).then(() => false)]);
  over.abort();
  return isInTime;
}
