import { statfsSync } from 'node:fs';
import type { Clock } from '../../../kernel/clock.ts';

const everyMs = 1_000;
/** Less is none: file systems keep some back, and who writes then may have been refused something. */
const freeBytesMin = 64 * 2 ** 20;
/** Of a small disk: one part in so many. */
const freePartMin = 8;

interface Look {
  /** At any look since the command began, and now. */
  wasFull(): boolean;
  leave(): void;
}

/** Looks at what is left of the disk that a folder lies on while commands run. */
export function watchSpace(folder: string, clock: Clock): { enter(): Look } {
  return {
    enter() {
      const over = new AbortController();
      let full = isFull(folder);
      async function look(): Promise<void> {
        while (!full && !over.signal.aborted) {
          await clock.sleep(everyMs, over.signal);
          full ||= !over.signal.aborted && isFull(folder);
        }
      }
      void look();
      return { wasFull: () => (full ||= isFull(folder)), leave: () => over.abort('over') };
    },
  };
}

function isFull(folder: string): boolean {
  try {
    const { blocks, bavail, bfree, bsize } = statfsSync(folder);
    // Of what is kept back most is for root.
    const free = (process.geteuid?.() === 0 ? bfree : bavail) * bsize;
    return free < Math.min(freeBytesMin, (blocks * bsize) / freePartMin);
  } catch {
    return false;
  }
}
