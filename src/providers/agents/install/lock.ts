import { randomUUID } from 'node:crypto';
import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { Clock } from '../../../kernel/clock.ts';
import { Fault } from '../../../kernel/fault.ts';
import { isSameProcess, processInfo } from '../../../kernel/processes/info.ts';

interface Wait {
  readonly clock: Clock;
  readonly waitMsMax: number;
  /** Called once, where another holds it. */
  readonly onWait: () => void;
}

const lookMs = 500;

/**
 * Holds a file while `work` runs: one process at a time, others wait. What a dead process has left is taken over. Should two take it
 * over in the same moment both go on, which here costs a download and breaks nothing.
 */
export async function holding<T>(file: string, { clock, waitMsMax, onWait }: Wait, work: () => Promise<T>): Promise<T> {
  const untilMs = clock.mono() + waitMsMax;
  for (let isFirst = true; !take(file); isFirst = false) {
    if (clock.mono() > untilMs) {
      throw new Fault('wrong_state', {
        message: 'Another process has been installing this for too long',
        hint: `If none does: rm ${file}`,
      });
    }
    if (isFirst) onWait();
    await clock.sleep(lookMs);
  }
  try {
    return await work();
  } finally {
    rmSync(file, { force: true });
  }
}

function take(file: string): boolean {
  if (isHeld(file)) return false;
  // With its content from the first moment on: an empty one would look like a dead one's.
  const own = `${file}.${randomUUID()}`;
  writeFileSync(own, thisProcess());
  try {
    linkSync(own, file);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(own, { force: true });
  }
}

function isHeld(file: string): boolean {
  const owner = contentOf(file);
  if (owner === undefined) return false;
  if (isAlive(owner)) return true;
  if (contentOf(file) === owner) rmSync(file, { force: true });
  return false;
}

/** Names one process for as long as the machine runs: process ids are used again. */
export function thisProcess(): string {
  return `${process.pid}.${processInfo(process.pid)?.start ?? ''}`;
}

export function isAlive(owner: string): boolean {
  const [pid = '', start = ''] = owner.split('.');
  return isSameProcess(Number(pid), start);
}

function contentOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return undefined;
  }
}
