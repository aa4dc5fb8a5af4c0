import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import type { Clock } from '../../../../kernel/clock.ts';
import { SYSTEM_PATH } from '../host/tools.ts';

/** Between the end of a look and the next. */
const everyMs = 5_000;
/** Of one look; what takes longer tells nothing. */
const lookMsMax = 10_000;
/** What a command that only cleans up may write meanwhile. */
const slackBytes = 2 ** 20;

interface Watch {
  /** A command begins; the answer is to be called at its end. */
  enter(): () => void;
}

interface Watched {
  /** What counts; one that is not there counts nothing. */
  readonly folders: readonly string[];
  readonly bytesMax: number;
  readonly clock: Clock;
  /** `du`. */
  readonly du: string;
  /** Called while a command runs and the folders are larger than is allowed. */
  readonly onFull: () => void;
}

/**
 * Looks at the size of folders while something runs in them, where nothing else limits it: what is written between two looks is
 * written, and what an agent hides from the worker's user is not counted. In a workspace that is full already a command may run
 * that makes it no larger, so that it can be looked at and cleaned.
 */
export function watchSize({ folders, bytesMax, clock, du, onFull }: Watched): Watch {
  let running = 0;
  /** At the last look. */
  let usedBytes = 0;
  let over = new AbortController();

  async function look(signal: AbortSignal): Promise<void> {
    let allowedBytes = Math.max(bytesMax, usedBytes + slackBytes);
    while (!signal.aborted) {
      await clock.sleep(everyMs, signal);
      const bytes = signal.aborted ? undefined : await sizeOf({ folders, clock, du });
      if (bytes === undefined) continue;
      usedBytes = bytes;
      allowedBytes = Math.max(bytesMax, Math.min(allowedBytes, bytes + slackBytes));
      if (!signal.aborted && bytes > bytesMax && bytes > allowedBytes) onFull();
    }
  }

  return {
    enter() {
      running += 1;
      if (running === 1) {
        over = new AbortController();
        void look(over.signal);
      }
      let isOver = false;
      return () => {
        if (!isOver) running -= 1;
        isOver = true;
        if (running === 0) over.abort();
      };
    },
  };
}

type Sized = Pick<Watched, 'folders' | 'clock' | 'du'>;

/** In bytes on the disk, other file systems left out and no link followed. Undefined where that could not be found in time. */
async function sizeOf({ folders, clock, du }: Sized): Promise<number | undefined> {
  const there = folders.filter(folder => existsSync(folder));
  const child = spawn(du, ['-s', '-x', '--block-size=1', '--', ...there], {
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { PATH: SYSTEM_PATH, LC_ALL: 'C' },
    cwd: '/',
  });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => void (text = `${text}${chunk.toString()}`.slice(0, 65_536)));
  const over = new AbortController();
  void clock.sleep(lookMsMax, over.signal).then(() => over.signal.aborted || child.kill('SIGKILL'));
  try {
    await once(child, 'close');
  } catch {
    return undefined;
  } finally {
    over.abort();
  }
  const sizes = [...text.matchAll(/^(\d+)\t/gm)].map(([, size]) => Number(size));
  return sizes.length === there.length ? sizes.reduce((sum, size) => sum + size, 0) : undefined;
}
