import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** The wall clock of one process and of those that it starts; their timers go on as before. */
export interface WallClock {
  /** The environment in which the process has it. */
  readonly env: Readonly<Record<string, string>>;
  /** From now on it is off by so much. */
  jump(seconds: number): void;
}

/** Debian's package faketime; undefined where it is not installed. */
const library = libraries().find(name => name.endsWith('libfaketimeMT.so.1'));
export const hasFaketime = library !== undefined;

/** `folder` holds the file by which it is set. */
export function wallClock(folder: string, name: string): WallClock {
  const file = join(folder, `${name}.clock`);
  const jump = (seconds: number) => writeFileSync(file, `${seconds < 0 ? '' : '+'}${seconds}\n`);
  jump(0);
  return {
    env: {
      LD_PRELOAD: library ?? '',
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      DONT_FAKE_MONOTONIC: '1',
    },
    jump,
  };
}

/** Whether a process has a clock of its own. */
export function hasOwnClock(pid: number): boolean {
  return readFileSync(`/proc/${pid}/maps`, 'utf8').includes('libfaketime');
}

function libraries(): string[] {
  return readdirSync('/usr/lib', { withFileTypes: true }).flatMap(({ name }) => {
    try {
      return readdirSync(join('/usr/lib', name, 'faketime')).map(file => join('/usr/lib', name, 'faketime', file));
    } catch {
      return [];
    }
  });
}
