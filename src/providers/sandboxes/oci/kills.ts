import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseMounts } from '../local/host/cgroups.ts';

/** How many the kernel has killed for want of memory in the group that this process is in, where groups are of version 1. */
export function oomKillsAround(pid: number | undefined): number {
  const mount = parseMounts(readOr('/proc/self/mounts')).v1.get('memory');
  const path = /^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(.*)$/m.exec(readOr(`/proc/${pid}/cgroup`))?.[1];
  if (mount === undefined || path === undefined) return 0;
  return Number(/^oom_kill (\d+)/m.exec(readOr(join(mount, path, 'memory.oom_control')))?.[1] ?? 0);
}

function readOr(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
