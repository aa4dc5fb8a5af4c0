import { readFileSync } from 'node:fs';
import { allPids, processInfo } from '../../../../kernel/processes/info.ts';

/** Kills every process of a user id that belongs to one sandbox alone. */
export function killUser(uid: number): void {
  for (const pid of allPids()) if (realUid(pid) === uid) kill(pid);
}

/** Kills every process that has `word` as one of its arguments. */
export function killMarked(word: string): void {
  for (const pid of allPids()) if (processInfo(pid)?.argv.includes(word)) kill(pid);
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself, or it is another user's.
  }
}

function realUid(pid: number): number | undefined {
  try {
    return Number(/^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
  } catch {
    return undefined;
  }
}
