import { readFileSync, readlinkSync } from 'node:fs';
import { allPids, isSameProcess, processInfo } from '../../../../kernel/process-info.ts';

/**
 * Who made something that stays on the host after a crash, written so that it fits in a file name:
 * `pid.start.pid-namespace.boot`. With all four it names one process for ever.
 */
export type Owner = string;

export function thisOwner(): Owner {
  return [process.pid, processInfo(process.pid)?.start ?? '', pidNamespace(), boot()].join('.');
}

/** True only when the owner is surely dead: of a worker in another container (pid namespace) that cannot be known from here. */
export function isDead(owner: Owner): boolean {
  const [pid, start = '', namespace, bootThen] = owner.split('.');
  if (bootThen === undefined) return false;
  if (bootThen !== boot()) return true;
  return namespace === pidNamespace() && !isSameProcess(Number(pid), start);
}

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

function pidNamespace(): string {
  return /\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0] ?? '';
}

function boot(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').slice(0, 8);
}
