import { writeSync } from 'node:fs';
import { pino } from 'pino';

/** Structured log lines on stderr; stdout belongs to what a command prints. Never pass a secret. */
export interface Log {
  debug(facts: object, message: string): void;
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
  error(facts: object, message: string): void;
  child(facts: Record<string, unknown>): Log;
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

export function createLog(level: LogLevel): Log {
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, { write: writeToStderr });
}

const stderrFd = 2;
/** For a pipe whose reader is slow, in all 2 s; then the line is lost, and nobody waits for a log. */
const waitMs = 20;
const waitsMax = 100;

/** A full disk under the log is no reason to stop working: there lines are lost, and with the first space they are kept again. */
function writeToStderr(line: string): void {
  let left = Buffer.from(line);
  for (let waits = 0; left.length > 0 && waits <= waitsMax; ) {
    try {
      left = left.subarray(writeSync(stderrFd, left));
    } catch (error) {
      if (!isFullPipe(error)) return;
      waits += 1;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, waitMs);
    }
  }
}

function isFullPipe(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EAGAIN';
}

export const silentLog: Log = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silentLog,
};
