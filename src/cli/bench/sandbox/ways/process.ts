import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Clock } from '../../../../kernel/clock.ts';
import { Fault } from '../../../../kernel/fault.ts';
import { firstInstructionMs } from './first.ts';
import type { Started } from './way.ts';

interface Around {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** A program that ends it and all that it has started, where killing the process that was started is not enough. */
  readonly endWith?: (pid: number) => Promise<unknown>;
}

const wordsMax = 2_000;

/** Starts a program that writes something; resolves at its first byte. Throws with its last words where it ends before. */
export async function startProcess(argv: readonly [string, ...string[]], around: Around): Promise<Started> {
  const [program, ...args] = argv;
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  // A group of its own: what it starts in front of what is measured ends with it.
  const kill = () => void (child.pid !== undefined && endGroup(child.pid));
  around.signal.addEventListener('abort', kill, { once: true });
  let words = '';
  child.stderr.on('data', (chunk: Buffer) => void (words = `${words}${chunk.toString('utf8')}`.slice(-wordsMax)));
  const ended = new Promise<Error>(resolve => {
    child.once('error', resolve);
    child.once('close', code => resolve(new Error(words.trim() || `${program} ended with ${code} and wrote nothing`)));
  });
  const spoke = once(child.stdout, 'data') as Promise<[Buffer]>;
  spoke.catch(() => {});
  const first = await Promise.race([spoke, ended]);
  around.signal.removeEventListener('abort', kill);
  around.signal.throwIfAborted();
  if (first instanceof Error) throw new Fault('failed', { message: first.message, cause: first });
  // What else it writes is not kept.
  child.stdout.resume();
  return {
    firstMs: firstInstructionMs(first[0]),
    async end() {
      try {
        if (child.pid !== undefined) await around.endWith?.(child.pid);
      } finally {
        kill();
      }
      await ended;
    },
  };
}

function endGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}
