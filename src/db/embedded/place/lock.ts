import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import type { Clock } from '../../../kernel/clock.ts';
import { Fault } from '../../../kernel/fault.ts';
import { isSameProcess, processInfo } from '../../../kernel/processes/info.ts';
import { errorCode, guarded } from './folder.ts';

/**
 * Runs `work` in one process at a time. The lock is a file with the pid and the start of its holder, put there by `link`, so
 * that it is never seen half-written; a dead holder's is broken. It saves double work: were it ever broken wrongly, the
 * rename of a new data folder and Postgres' own lock would still let one process win.
 * Throws Fault `folder_in_use` when a live holder does not finish within `waitMs`.
 */
export async function withLock<T>(lock: { file: string; clock: Clock; waitMs: number }, work: () => Promise<T>): Promise<T> {
  const { file, clock, waitMs } = lock;
  const mine = `${process.pid} ${processInfo(process.pid)?.start ?? ''}\n`;
  const deadline = clock.mono() + waitMs;
  while (!take(file, mine)) {
    if (clock.mono() > deadline) throw heldTooLong(file);
    await clock.sleep(20);
  }
  try {
    return await work();
  } finally {
    if (readOr(file) === mine) rmSync(file, { force: true });
  }
}

function take(file: string, mine: string): boolean {
  const draft = `${file}.${process.pid}`;
  return guarded(file, () => {
    writeFileSync(draft, mine, { mode: 0o644 });
    try {
      linkSync(draft, file);
      return true;
    } catch (error) {
      if (errorCode(error) !== 'EEXIST') throw error;
      breakStale(file);
      return false;
    } finally {
      rmSync(draft, { force: true });
    }
  });
}

/** Moves a dead holder's lock away; what was moved is looked at again, and put back if a live process took it in between. */
function breakStale(file: string): void {
  const text = readOr(file);
  if (text === undefined || isHeld(text)) return;
  const aside = `${file}.stale.${process.pid}`;
  try {
    renameSync(file, aside);
    if (isHeld(readOr(aside) ?? '')) linkSync(aside, file);
  } catch (error) {
    if (!['ENOENT', 'EEXIST'].includes(errorCode(error) ?? '')) throw error;
  } finally {
    rmSync(aside, { force: true });
  }
}

function isHeld(text: string): boolean {
  const [pid, start = ''] = text.trim().split(/ (.*)/s);
  return isSameProcess(Number(pid), start);
}

function heldTooLong(file: string): Fault {
  const holder = readOr(file)?.split(' ')[0] ?? 'unknown';
  return new Fault('folder_in_use', {
    message: `Process ${holder} has been starting the database for too long`,
    hint: `Look at process ${holder}; when it hangs, end it and start again.`,
    facts: { pid: Number(holder), path: file },
  });
}

function readOr(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
