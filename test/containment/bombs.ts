import type { Hold, SandboxWorth } from '../../contract/fleet/sandboxes.ts';
import type { SandboxCommand } from '../../src/worker/sandbox.ts';
import { limits, MiB, program } from './hostile.ts';
import type { Ended } from './hostile.ts';

interface Bomb {
  readonly argv: SandboxCommand['argv'];
  readonly timeoutMs?: number;
  readonly outputBytesMax?: number;
  /** What came of it, where that is not told by its end or by what it has printed. */
  readonly word?: (ended: Ended & { readonly bytes: number }) => string;
}

/** Twice what is allowed. */
const tooMuch = 2 * limits.memoryBytes;
/** For what ends by the time alone. */
const timeoutMs = 1_200;
const lineBytes = 32 * MiB;
/** How long a watch that looks now and then may take to see a full workspace. */
const watchS: Readonly<Record<Hold, number>> = { enforced: 0, advisory: 9, none: 0 };

/** What each takes, by the attempt's name. Each ends within 10 s by itself or by the time that it is given. */
export function bombsFor(worth: SandboxWorth): Readonly<Record<string, Bomb>> {
  return {
    'children that stay': { argv: program('bombs', 'forks', 0) },
    'threads that stay': { argv: program('bombs', 'threads', 0) },
    'children that have children without end': { argv: program('bombs', 'forks-without-end', 0), timeoutMs },
    'memory of one process': { argv: program('bombs', 'memory', tooMuch) },
    'memory of eight processes together': { argv: program('bombs', 'memory-of-many', tooMuch) },
    'memory that processes share': { argv: program('bombs', 'shared-memory', tooMuch) },
    'System V memory': { argv: program('bombs', 'system-v-memory', tooMuch) },
    'the time of every processor': {
      argv: program('bombs', 'cpu', 0),
      // A third more than its share: the kernel gives it in pieces of a tenth of a second.
      word: ({ stdout }) => (Number(stdout) <= (100 * limits.cpuCount * 4) / 3 ? 'its share' : 'reached'),
    },
    '64 threads that never rest': { argv: program('bombs', 'threads-that-spin', 0), timeoutMs },
    'a program that is deaf to signals': { argv: program('bombs', 'deaf', 0), timeoutMs },
    'a program that has stopped itself': { argv: program('bombs', 'stopped', 0), timeoutMs },
    'bytes in the workspace': { argv: program('bombs', 'workspace', 2 * limits.workspaceBytes, watchS[worth.limits.workspace]) },
    'files without content in the workspace': {
      argv: program('bombs', 'inodes', worth.limits.workspace === 'enforced' ? 12_000 : 2_000),
    },
    'a file of 1 TiB without content in the workspace': { argv: program('bombs', 'sparse', 0) },
    'bytes in /tmp': { argv: program('bombs', 'tmp', 2 * limits.tmpBytes) },
    'bytes in its home': { argv: program('bombs', 'home', 2 * limits.tmpBytes) },
    'bytes in /dev/shm': { argv: program('bombs', 'shm', 2 * limits.tmpBytes) },
    descriptors: { argv: program('bombs', 'descriptors', 0) },
    'output without end': { argv: program('bombs', 'endless', 0), outputBytesMax: 16 * MiB },
    'one line of 32 MiB': {
      argv: program('bombs', 'line', lineBytes),
      outputBytesMax: lineBytes,
      word: ({ exit, bytes }) =>
        exit.reason === 'exited' && bytes === lineBytes ? 'all of it' : `${exit.reason} after ${bytes}`,
    },
  };
}
