import { createInterface } from 'node:readline';
import type { Duplex } from 'node:stream';
import type { Clock } from '../../kernel/clock.ts';
import { runFailure } from '../failure.ts';
import { insideFolder, insidePath, nodeInside } from '../inside.ts';
import { addedProgramsPath } from '../sandbox.ts';
import type { Sandbox, SandboxCommand, SandboxExit, SandboxLink, SandboxSpec } from '../sandbox.ts';
import { controlPath } from './job.ts';
import type { HomeFile, HostEvent, HostOrder, Job, Port } from './job.ts';
import { stopInSteps } from './steps.ts';
import type { Ending } from './steps.ts';

/** A program that is started by the parent of agents (src/inside/host.ts), which gives it a HOME and the ways out of the sandbox. */
export interface HostedProgram extends Omit<SandboxCommand, 'signal' | 'ask' | 'cwd' | 'stdin'>, Ending {
  readonly stdin?: string;
  readonly home?: readonly HomeFile[] | undefined;
  /** Folders in front of PATH. */
  readonly path?: readonly string[] | undefined;
}

export interface Host {
  /** To be shown in the sandbox. */
  readonly folders: SandboxSpec['folders'];
  readonly link: SandboxLink;
  /**
   * As `exec` of the sandbox; the exit of what was asked to end is `aborted`. One program after another. Throws a run failure `sandbox` where the parent itself
   * can't be started.
   */
  run(sandbox: Sandbox, program: HostedProgram): Promise<SandboxExit>;
}

/** What the parent says is short. Whoever says more took its place. */
const eventBytesMax = 65_536;

export async function createHost(clock: Clock, ports: readonly Port[]): Promise<Host> {
  const node = nodeInside();
  let next: ((connection: Duplex) => void) | undefined;
  return {
    folders: [{ from: await insideFolder(), to: insidePath }],
    link: {
      path: controlPath,
      // The parent connects before any other program runs: whoever comes after it is not the parent.
      onConnection(connection) {
        const take = next;
        next = undefined;
        if (take === undefined) connection.destroy();
        else take(connection);
      },
    },
    async run(sandbox, program) {
      const talk = createTalk(program, ports);
      next = talk.begin;
      const stop = stopInSteps(program, { clock, ask: talk.interrupt });
      try {
        const { timeoutMs, outputBytesMax, onOutput } = program;
        const argv = [node.program, `${insidePath}/host.mjs`] as const;
        const exit = await sandbox.exec({ argv, timeoutMs, outputBytesMax, onOutput, signal: stop.signal });
        return verdict(exit, { heard: talk.heard(), isStopped: program.signal.aborted });
      } finally {
        next = undefined;
        stop.unlink();
        talk.end();
      }
    },
  };
}

interface Talk {
  begin(connection: Duplex): void;
  interrupt(): void;
  heard(): HostEvent | undefined;
  end(): void;
}

function createTalk(program: HostedProgram, ports: readonly Port[]): Talk {
  const { argv, env = {}, stdin = '', home = [], path = [], onStart, signal } = program;
  const first = [`${insidePath}/bin`, ...path];
  const job: Job = { argv, env, path: { first, last: [addedProgramsPath] }, stdin, home, ports };
  let connection: Duplex | undefined;
  let heard: HostEvent | undefined;

  function say(line: Job | HostOrder): void {
    connection?.write(`${JSON.stringify(line)}\n`);
  }

  return {
    begin(opened) {
      connection = opened;
      let bytes = 0;
      opened.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > eventBytesMax) opened.destroy();
      });
      const lines = createInterface({ input: opened, crlfDelay: Infinity });
      lines.on('line', line => {
        // The first word is the parent's; what an agent that took its place may say later changes nothing.
        if (heard !== undefined) return;
        heard = eventOf(line);
        if (heard?.event === 'started') onStart?.();
      });
      // A parent that is killed may leave an order unread, which resets the connection: how it ended, its exit says.
      lines.on('error', () => {});
      say(job);
      if (signal.aborted) say({ order: 'interrupt' });
    },
    interrupt: () => say({ order: 'interrupt' }),
    heard: () => heard,
    end: () => void connection?.destroy(),
  };
}

function eventOf(line: string): HostEvent | undefined {
  try {
    const said = JSON.parse(line) as { readonly event?: unknown; readonly message?: unknown };
    if (said.event === 'started' || said.event === 'not_found') return { event: said.event };
    return said.event === 'failed' ? { event: 'failed', message: String(said.message).slice(0, 1_000) } : undefined;
  } catch {
    return undefined;
  }
}

function verdict(exit: SandboxExit, { heard, isStopped }: { heard: HostEvent | undefined; isStopped: boolean }): SandboxExit {
  const { durationMs } = exit;
  if (isStopped) return { reason: 'aborted', durationMs };
  if (heard?.event === 'not_found') return { reason: 'not_found', durationMs };
  if (heard?.event === 'failed') throw runFailure('sandbox', `The agent could not be started: ${heard.message}`);
  if (heard === undefined && (exit.reason === 'exited' || exit.reason === 'signaled' || exit.reason === 'not_found'))
    throw runFailure('sandbox', `Node could not be started in a sandbox, which an agent with a model needs: ${exit.reason}`);
  return exit;
}
