import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { basename } from 'node:path';

export interface ProcessInfo {
  readonly pid: number;
  /** With the pid this names one process for ever: a reused pid has another start. */
  readonly start: string;
  /** Dead, but its parent has not collected it: a signal 0 still reaches it, which fools most liveness checks. */
  readonly zombie: boolean;
  /** Words of the command line; where the system gives only one text (macOS) it is split at spaces. */
  readonly argv: readonly string[];
}

/** What the system knows of a process, or undefined when there is none of this number. */
export function processInfo(pid: number): ProcessInfo | undefined {
  return process.platform === 'linux' ? fromProc(pid) : fromPs(pid);
}

/** A live process of this number that started at `start`. False for zombies and for reused numbers. */
export function isSameProcess(pid: number, start: string): boolean {
  const info = processInfo(pid);
  return info !== undefined && !info.zombie && info.start === start;
}

/** Program and script for people, without further arguments: they may hold secrets. */
export function commandName(argv: readonly string[]): string {
  const [program = '', first = ''] = argv.map(word => word.trim());
  const script = first.startsWith('/') || /^[\w.-]+\.\w+$/.test(first) ? ` ${first}` : '';
  return `${program.includes(': ') ? program : basename(program)}${script}` || 'unknown program';
}

/** Processes whose working directory is `folder`, zombies left out. Those of other users are not seen. Linux only; else none. */
export function processesIn(folder: string): ProcessInfo[] {
  return allPids().flatMap(pid => {
    const info = workingDirectory(pid) === folder ? processInfo(pid) : undefined;
    return info && !info.zombie ? [info] : [];
  });
}

export function workingDirectory(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return undefined;
  }
}

export function allPids(): number[] {
  try {
    return readdirSync('/proc').flatMap(name => (/^\d+$/.test(name) ? [Number(name)] : []));
  } catch {
    return [];
  }
}

function fromProc(pid: number): ProcessInfo | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the name in parentheses and may itself hold spaces and parentheses: count from the last one.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [state = ''] = fields;
    const argv = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replace(/\0+$/, '').split('\0');
    return { pid, start: fields[19] ?? '', zombie: state === 'Z' || state === 'X', argv };
  } catch {
    return undefined;
  }
}

function fromPs(pid: number): ProcessInfo | undefined {
  const { stdout } = spawnSync('ps', ['-o', 'stat=', '-o', 'lstart=', '-o', 'args=', '-p', String(pid)], { encoding: 'utf8' });
  return parsePs(pid, stdout ?? '');
}

export function parsePs(pid: number, line: string): ProcessInfo | undefined {
  const [, state, start, args] = /^\s*(\S+)\s+(\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4})\s*(.*?)\s*$/s.exec(line) ?? [];
  if (state === undefined || start === undefined) return undefined;
  return { pid, start, zombie: state.startsWith('Z'), argv: (args ?? '').split(' ') };
}
