import { ndJsonStream } from '@agentclientprotocol/sdk/unstable';
import type { Stream } from '@agentclientprotocol/sdk/unstable';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { Readable, Writable } from 'node:stream';
import { systemClock } from '../../kernel/clock.ts';
import type { AcpEvent } from '../../worker/host/acp-turn.ts';

/** The agent's program, which speaks on its stdin and stdout. */
export interface RunningAgent {
  readonly stream: Stream;
  /** Resolves when it has ended, by itself or killed; with what is to be said of that where it was neither of its own nor of ours. */
  end(): Promise<AcpEvent | undefined>;
}

/** Between the end of what an agent says and its own. */
const exitMsMax = 200;
/** For an agent to write down what it has, when nobody speaks to it any more. */
const endMsMax = 2_000;
const cannotRun: ReadonlySet<string | undefined> = new Set(['ENOENT', 'EACCES', 'ENOEXEC', 'ENOTDIR', 'ELOOP', 'EPERM']);

export function startAgent([program, ...args]: readonly [string, ...string[]]): RunningAgent {
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  let refusal: AcpEvent | undefined;
  child.once('error', (error: NodeJS.ErrnoException) => {
    refusal = cannotRun.has(error.code) ? { event: 'not_found' } : { event: 'failed', message: error.message };
  });
  // Who has ended reads no more; that it has ended is seen by itself.
  child.stdin.on('error', () => {});
  const stream = ndJsonStream(Writable.toWeb(child.stdin), Readable.toWeb(child.stdout) as ReadableStream<Uint8Array>);
  const closed = once(child, 'close').catch(() => {});
  return {
    stream,
    async end() {
      // Its own end may be on its way behind that of its output.
      await Promise.race([closed, systemClock.sleep(exitMsMax)]);
      const died = refusal ?? deathOf(child);
      child.stdin.end();
      await Promise.race([closed, systemClock.sleep(endMsMax)]);
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
      return died;
    },
  };
}

function deathOf({ exitCode, signalCode }: ChildProcess): AcpEvent | undefined {
  if (signalCode !== null) return { event: 'died', signal: signalCode };
  return exitCode === null
    ? undefined
    : { event: 'failed', message: `it ended with exit code ${exitCode} before its turn was finished` };
}
