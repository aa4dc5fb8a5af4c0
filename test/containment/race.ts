import type { Sandbox } from '../../src/worker/sandbox.ts';
import { isFault } from '../../src/kernel/fault.ts';
import { program } from './hostile.ts';

interface Race {
  readonly attempt: string;
  /** Of the host. */
  readonly target: string;
  /** At least so many looks, and at least so many changes meanwhile. */
  readonly reads: number;
  readonly swaps: number;
}

/** Reads a file that a program inside exchanges without end. What is read is what the program has written, or it is refused. */
export async function race(sandbox: Sandbox, { attempt, target, reads, swaps }: Race): Promise<string> {
  const over = new AbortController();
  let swapped = 0;
  const kind = attempt.includes('pipe') ? 'pipe' : 'leaf';
  const swapping = sandbox.exec({
    ...{ argv: program('swapping', 'swapped', target, kind), signal: over.signal },
    ...{ timeoutMs: 600_000, outputBytesMax: 2 ** 20 },
    onOutput: (_, chunk) => void (swapped = Math.max(swapped, Number(chunk.toString().trim().split('\n').at(-1)))),
  });
  const seen = new Set<string>();
  for (let read = 0; read < reads || swapped < swaps; read += 1) {
    seen.add(await look(sandbox));
    if (read > 100 * reads) throw new Error(`only ${swapped} changes in ${read} looks`);
  }
  over.abort();
  await swapping;
  // Between its making and its filling a plain file is empty.
  const allowed = ['', 'inside', 'refused'];
  return [...seen].every(each => allowed.includes(each)) ? 'never outside' : [...seen].join(', ');
}

async function look(sandbox: Sandbox): Promise<string> {
  try {
    return (await sandbox.files.read('swapped', { bytesMax: 4_096 })).toString();
  } catch (error) {
    if (isFault(error, 'invalid_request') || isFault(error, 'file_not_found')) return 'refused';
    throw error;
  }
}
