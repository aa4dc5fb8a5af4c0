import { readFileSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import {
  allPids,
  commandName,
  type ProcessInfo,
  processesIn,
  processInfo,
  workingDirectory,
} from '../../kernel/processes/info.ts';
import { draftsOf, type Site } from './place/folder.ts';

/** What a postmaster writes about itself into its data folder. */
export interface PidFile {
  readonly pid: number;
  readonly port: number;
  /** `starting`, `ready`, `stopping`, `standby`; empty while the file is being written. */
  readonly status: string;
  readonly text: string;
}

export interface Postmaster extends PidFile {
  readonly command: string;
  /** Names, with the pid, this one process. */
  readonly start: string;
}

export function readPidFile(data: string): PidFile | undefined {
  let text: string;
  try {
    text = readFileSync(join(data, 'postmaster.pid'), 'utf8');
  } catch {
    return undefined;
  }
  const lines = text.split('\n');
  return { pid: Number(lines[0]), port: Number(lines[3]), status: (lines[7] ?? '').trim(), text };
}

/** The postmaster that serves this folder, proven alive: a pid file alone may name a zombie or a reused number. */
export function livePostmaster(data: string): Postmaster | undefined {
  const file = readPidFile(data);
  const info = file && file.pid > 0 ? processInfo(file.pid) : undefined;
  if (!file || !info || info.zombie || !serves(info, data)) return undefined;
  return { ...file, command: commandName(info.argv), start: info.start };
}

/** Removes a pid file that names no postmaster of this folder; Postgres itself believes any number that a signal reaches. */
export function removeStalePidFile(data: string): boolean {
  const file = readPidFile(data);
  if (file === undefined || processInfo(file.pid) === undefined || livePostmaster(data)) return false;
  if (readPidFile(data)?.text !== file.text) return false;
  rmSync(join(data, 'postmaster.pid'), { force: true });
  return true;
}

/** Processes of a Postgres at work in this folder: `backend` for the children, which may outlive a killed postmaster for a moment. */
export function postgresIn(data: string): { pid: number; command: string; backend: boolean }[] {
  return processesIn(data)
    .filter(isPostgres)
    .map(({ pid, argv }) => ({ pid, command: commandName(argv), backend: (argv[0] ?? '').startsWith('postgres: ') }));
}

/** Processes at work on the database of a home, also where it is only being made. `isAsked`: it ends well when it is asked to. */
export function workersOn(site: Site): { pid: number; command: string; isAsked: boolean }[] {
  const making = allPids().flatMap(pid => {
    const info = processInfo(pid);
    return info?.zombie === false && info.argv.some(word => word.startsWith(`--pgdata=${site.root}/`)) ? [info] : [];
  });
  return [
    ...making.map(({ pid, argv }) => ({ pid, command: commandName(argv), isAsked: true })),
    ...postgresIn(site.data).map(({ backend, ...found }) => ({ ...found, isAsked: !backend })),
    // These read what initdb tells them, and end with it.
    ...draftsOf(site).flatMap(draft => postgresIn(draft).map(found => ({ ...found, isAsked: false }))),
  ];
}

function serves(info: ProcessInfo, data: string): boolean {
  if (!isPostgres(info)) return false;
  const folder = workingDirectory(info.pid);
  if (folder !== undefined) return folder === data;
  // Not ours to see (another user, or no /proc): its command line names the folder, and when it does not, caution says yes.
  const at = info.argv.indexOf('-D');
  return at === -1 || info.argv[at + 1] === data;
}

function isPostgres({ argv }: ProcessInfo): boolean {
  const program = argv[0] ?? '';
  return program.startsWith('postgres: ') || ['postgres', 'postmaster'].includes(basename(program));
}
