import { readFileSync } from 'node:fs';
import { allPids } from '../../../../kernel/processes/info.ts';

/**
 * Proportional memory (PSS) in KB of all that has been started below this process since the first call: pages that several share are
 * divided among them. What has left for another parent is found by `mark` in its arguments. The answer is undefined where nothing of it
 * may be read.
 */
export function watchMemory(mark: string): () => number | undefined {
  const before = new Set(below(process.pid, mark));
  return () => {
    const since = below(process.pid, mark).filter(pid => !before.has(pid));
    const sizes = since.map(pid => /^Pss:\s*(\d+) kB/m.exec(read(`/proc/${pid}/smaps_rollup`))?.[1]);
    const known = sizes.filter(size => size !== undefined);
    if (known.length === 0 && sizes.length > 0) return undefined;
    return known.reduce((sum, size) => sum + Number(size), 0);
  };
}

function below(top: number, mark: string): number[] {
  const children = new Map<number, number[]>();
  const pids = allPids();
  for (const pid of pids) {
    const parent = Number(/^PPid:\s*(\d+)/m.exec(read(`/proc/${pid}/status`))?.[1]);
    children.set(parent, [...(children.get(parent) ?? []), pid]);
  }
  const found = new Set<number>();
  const walk = (pid: number): void => {
    if (found.has(pid)) return;
    found.add(pid);
    children.get(pid)?.forEach(walk);
  };
  children.get(top)?.forEach(walk);
  pids.filter(pid => pid !== top && read(`/proc/${pid}/cmdline`).includes(mark)).forEach(walk);
  return [...found];
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
