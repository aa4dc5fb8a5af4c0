import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { allPids, commandName, processInfo } from './info.ts';

export interface PortOwner {
  readonly pid: number;
  /** Program and script, without further arguments. */
  readonly command: string;
}

/** The process that listens on a TCP port of this machine; undefined when none does or when it belongs to a user whose processes we may not see. */
export function whoListens(port: number): PortOwner | undefined {
  const pid = process.platform === 'linux' ? fromProc(port) : fromLsof(port);
  if (pid === undefined) return undefined;
  return { pid, command: commandName(processInfo(pid)?.argv ?? []) };
}

/** ` by process 17 (node server.js)` for a message, or nothing when the owner cannot be seen. */
export function listenerText(port: number): string {
  const owner = whoListens(port);
  return owner === undefined ? ' by a program of another user' : ` by process ${owner.pid} (${owner.command})`;
}

function fromProc(port: number): number | undefined {
  const sockets = new Set(
    ['/proc/net/tcp', '/proc/net/tcp6'].flatMap(table => listeningInodes(table, port)).map(inode => `socket:[${inode}]`),
  );
  return sockets.size === 0 ? undefined : allPids().find(pid => descriptors(pid).some(target => sockets.has(target)));
}

function listeningInodes(table: string, port: number): string[] {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return readOr(table)
    .split('\n')
    .map(line => line.trim().split(/\s+/))
    .filter(fields => fields[1]?.endsWith(suffix) && fields[3] === '0A')
    .flatMap(fields => fields[9] ?? []);
}

function readOr(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function descriptors(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).map(fd => {
      try {
        return readlinkSync(`/proc/${pid}/fd/${fd}`);
      } catch {
        return '';
      }
    });
  } catch {
    return [];
  }
}

function fromLsof(port: number): number | undefined {
  const { stdout } = spawnSync('lsof', ['-nP', `-iTCP:${port}`, '-sTCP:LISTEN', '-t'], { encoding: 'utf8' });
  const pid = Number.parseInt(stdout ?? '', 10);
  return Number.isNaN(pid) ? undefined : pid;
}
