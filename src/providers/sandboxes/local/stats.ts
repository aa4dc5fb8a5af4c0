import { readdirSync, readFileSync, statfsSync } from 'node:fs';
import type { SandboxStats } from '../../../worker/sandbox.ts';

const processesMax = 4_096;
/** Of the clock in /proc, on every machine. */
const tickMs = 10;

/**
 * How the processes below each process 1 are, by what the kernel says of them: nothing runs in the sandbox for it, and no file of it
 * is read, so that neither a full nor a frozen one makes it wait.
 */
export function statsBelow(inits: readonly (number | undefined)[]): Omit<SandboxStats, 'workspaceBytes'> {
  const seen = inits.flatMap(descendantsOf).flatMap(pid => statOf(pid) ?? []);
  const living = seen.filter(({ state }) => !'ZX'.includes(state));
  const isFrozen = living.length > 0 && living.every(({ state }) => 'TtD'.includes(state));
  return {
    state: living.length === 0 ? 'gone' : isFrozen ? 'frozen' : 'answering',
    processes: living.length,
    memoryBytes: sum(living.map(({ pid }) => residentBytes(pid))),
    // What has ended has left its time to its parent.
    cpuMs: sum(seen.map(({ ticks }) => ticks * tickMs)),
  };
}

/** What files take of the file system that is mounted at `path`. */
export function usedOf(path: string): number | undefined {
  try {
    const { blocks, bfree, bsize } = statfsSync(path);
    return (blocks - bfree) * bsize;
  } catch {
    return undefined;
  }
}

/** All below a process, also what another thread than its first has started. */
function descendantsOf(top: number | undefined): readonly number[] {
  const found = top === undefined ? [] : childrenOf(top);
  for (let at = 0; at < found.length && found.length < processesMax; at += 1) found.push(...childrenOf(found[at] ?? 0));
  return found.slice(0, processesMax);
}

function childrenOf(pid: number): number[] {
  return threadsOf(pid).flatMap(thread => {
    const children = readOr(`/proc/${pid}/task/${thread}/children`).trim();
    return children === '' ? [] : children.split(' ').map(Number);
  });
}

function threadsOf(pid: number): readonly string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

interface Stat {
  readonly pid: number;
  /** As in proc(5): T stopped, D in a wait that nothing ends, Z dead. */
  readonly state: string;
  /** Of itself and of the children that it has collected. */
  readonly ticks: number;
}

function statOf(pid: number): Stat | undefined {
  const stat = readOr(`/proc/${pid}/stat`);
  if (stat === '') return undefined;
  // The second field is the name in parentheses and may itself hold spaces and parentheses: count from the last one.
  const [state = '', ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return { pid, state, ticks: sum(fields.slice(10, 14).map(Number)) };
}

function residentBytes(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readOr(`/proc/${pid}/status`))?.[1] ?? 0) * 1_024;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}

function readOr(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
