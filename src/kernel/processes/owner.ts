import { existsSync, readFileSync, readlinkSync } from 'node:fs';
import { processInfo } from './info.ts';

/**
 * Who made something that stays on the host after a crash, written so that it fits in a file name:
 * `pid.start.pid-namespace.boot`. With all four it names one process for ever. Linux only.
 */
export type Owner = string;

let own: Owner | undefined;

export function thisOwner(): Owner {
  // Four looks into /proc for what never changes.
  own ??= [process.pid, processInfo(process.pid)?.start ?? '', pidNamespace(), boot()].join('.');
  return own;
}

/** True only when the owner is surely dead: of a process in another container (pid namespace) that cannot be known from here. */
export function isDead(owner: Owner): boolean {
  const [pid, start = '', namespace, bootThen] = owner.split('.');
  if (bootThen === undefined) return false;
  if (bootThen !== boot()) return true;
  return namespace === pidNamespace() && isGone(Number(pid), start);
}

/** Of a process that is there and cannot be read, as where no descriptor is free, nothing is known. */
function isGone(pid: number, start: string): boolean {
  const info = processInfo(pid);
  if (info === undefined) return !existsSync(`/proc/${pid}`);
  return info.zombie || info.start !== start;
}

function pidNamespace(): string {
  return /\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0] ?? '';
}

function boot(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').slice(0, 8);
}
