import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import type { Clock } from '../../../kernel/clock.ts';
import { SYSTEM_PATH } from '../local/host/tools.ts';

/** Between the end of a look and the next. */
const everyMs = 5_000;
/** Of one look; what takes longer tells nothing. */
const lookMsMax = 10_000;
/** What a command that only cleans up may write meanwhile: bytes, and files. */
const slack = [2 ** 20, 64] as const;
/** As a disk of this size has inodes. */
const bytesPerFile = 8_192;

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
  const max = [bytesMax, Math.ceil(bytesMax / bytesPerFile)] as const;
  let running = 0;
  /** At the last look. */
  let used: Amounts = [0, 0];
  let over = new AbortController();

  async function look(signal: AbortSignal): Promise<void> {
    const allowed = max.map((most, i) => Math.max(most, (used[i] ?? 0) + (slack[i] ?? 0)));
    while (!signal.aborted) {
      await clock.sleep(everyMs, signal);
      const amounts = signal.aborted ? undefined : await sizeOf({ folders, clock, du });
      if (amounts === undefined) continue;
      used = amounts;
      for (const [i, amount] of amounts.entries()) {
        const most = max[i] ?? 0;
        allowed[i] = Math.max(most, Math.min(allowed[i] ?? 0, amount + (slack[i] ?? 0)));
        if (!signal.aborted && amount > most && amount > allowed[i]) onFull();
      }
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

type Amounts = readonly [bytes: number, files: number];

/** On the disk, other file systems left out and no link followed. Undefined where that could not be found in time. */
async function sizeOf(sized: Sized): Promise<Amounts | undefined> {
  const [bytes, files] = await Promise.all([totalOf(sized, '--block-size=1'), totalOf(sized, '--inodes')]);
  // Not each du can count files.
  return bytes === undefined ? undefined : [bytes, files ?? 0];
}

async function totalOf({ folders, clock, du }: Sized, of: string): Promise<number | undefined> {
  const there = folders.filter(folder => existsSync(folder));
  const child = spawn(du, ['-s', '-x', of, '--', ...there], {
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
