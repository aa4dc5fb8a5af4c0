import { readFileSync } from 'node:fs';
import type { Readable } from 'node:stream';
import type { Clock } from '../../../kernel/clock.ts';

/**
 * What bubblewrap tells on its status descriptor, which nothing in the sandbox can reach: that its child exists, and the
 * command's exit code, which is absent where the set-up or the start of the program failed.
 */
export function readStatus(stream: Readable, onChild: () => void): () => number | undefined {
  let text = '';
  let exitCode: number | undefined;
  stream.on('error', () => {});
  stream.on('data', (chunk: Buffer) => {
    text += chunk.toString();
    const lines = text.split('\n');
    text = lines.pop() ?? '';
    for (const line of lines) {
      if (line.includes('"child-pid"')) onChild();
      exitCode ??= number(/"exit-code": *(\d+)/.exec(line)?.[1]);
    }
  });
  return () => exitCode;
}

/** Resolves true once the command's own process runs its program: it is called bwrap until then. */
export async function programStarted(launcher: number, clock: Clock, signal: AbortSignal): Promise<boolean> {
  for (let waitMs = 1; !signal.aborted; waitMs = Math.min(waitMs * 1.5, 20)) {
    const command = commandOf(launcher);
    const name = command === undefined ? '' : readOr(`/proc/${command}/comm`).trim();
    if (name !== '' && name !== 'bwrap') return true;
    await clock.sleep(waitMs, signal);
  }
  return false;
}

/** Process 1 of the sandbox: the launcher's child is bubblewrap's monitor, whose child it is. */
export function initOf(launcher: number | undefined): number | undefined {
  return firstChild(firstChild(launcher));
}

/** The command's own process. */
export function commandOf(launcher: number | undefined): number | undefined {
  return firstChild(initOf(launcher));
}

export function firstChild(pid: number | undefined): number | undefined {
  return number(/^\d+/.exec(readOr(`/proc/${pid}/task/${pid}/children`))?.[0]);
}

function number(digits: string | undefined): number | undefined {
  return digits === undefined ? undefined : Number(digits);
}

function readOr(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
