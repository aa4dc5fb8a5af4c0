import { createInterface } from 'node:readline';
import type { Duplex } from 'node:stream';
import type { Clock } from '../../kernel/clock.ts';
import { runFailure } from '../failure.ts';
import { insidePath, nodeInside } from '../inside.ts';
import { addedProgramsPath } from '../sandbox.ts';
import type { Sandbox, SandboxCommand, SandboxExit } from '../sandbox.ts';
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

/** The parent of one program, which may be there before it knows of which. */
export interface Parent {
  /** Called with its connection. */
  connected(connection: Duplex): void;
  /** Whether it has no program yet, and has not ended. */
  isWaiting(): boolean;
  /** Kills it when the signal is aborted, as long as it has no program. */
  endWith(signal: AbortSignal): void;
  /** Gives it its program. As `run` of Host. */
  work(program: HostedProgram): Promise<SandboxExit>;
}

/** What the parent says is short. Whoever says more took its place. */
const eventBytesMax = 65_536;
/** Of what it prints before it has a program, such as a warning of Node's. */
const earlyBytesMax = 65_536;
/** Longest wait that a timer can hold. */
const longestMs = 2_147_483_647;

interface Parts {
  readonly clock: Clock;
  readonly ports: readonly Port[];
}

export function startParent(sandbox: Sandbox, { clock, ports }: Parts): Parent {
  const talk = createTalk();
  const killing = new AbortController();
  const limits = createLimits(clock, killing);
  let state: 'waiting' | 'working' | 'ended' = 'waiting';
  const exit = sandbox.exec({
    argv: [nodeInside().program, `${insidePath}/host.mjs`],
    // Those of the program are kept here: they count from when it is given.
    ...{ timeoutMs: longestMs, outputBytesMax: Number.MAX_SAFE_INTEGER },
    onOutput: limits.onOutput,
    signal: killing.signal,
  });
  // Where nobody waits for it yet, or ever.
  void exit.catch(() => {}).then(() => void (state = 'ended'));

  return {
    connected: talk.begin,
    isWaiting: () => state === 'waiting',
    endWith(signal) {
      const onAbort = (): void => void (state === 'waiting' && killing.abort());
      if (signal.aborted) onAbort();
      signal.addEventListener('abort', onAbort, { once: true });
      void exit.catch(() => {}).then(() => signal.removeEventListener('abort', onAbort));
    },
    async work(program) {
      state = 'working';
      const stop = stopInSteps(program, { clock, ask: talk.interrupt });
      const onStop = (): void => killing.abort();
      if (stop.signal.aborted) onStop();
      stop.signal.addEventListener('abort', onStop, { once: true });
      try {
        limits.begin(program);
        talk.give(jobOf(program, ports), program);
        const ended = limits.verdict(await exit);
        return verdict(ended, { heard: talk.heard(), isStopped: program.signal.aborted });
      } catch (error) {
        killing.abort();
        await exit.catch(() => {});
        throw error;
      } finally {
        stop.signal.removeEventListener('abort', onStop);
        stop.unlink();
        limits.end();
        talk.end();
      }
    },
  };
}

function jobOf({ argv, env = {}, stdin = '', home = [], path = [] }: HostedProgram, ports: readonly Port[]): Job {
  return { argv, env, path: { first: [`${insidePath}/bin`, ...path], last: [addedProgramsPath] }, stdin, home, ports };
}

type Limited = Pick<HostedProgram, 'timeoutMs' | 'outputBytesMax' | 'onOutput'>;

interface Limits {
  readonly onOutput: HostedProgram['onOutput'];
  /** From now on the limits of this program hold, and what it prints is its own. */
  begin(program: Limited): void;
  /** The same exit, or by which limit it was ended. */
  verdict(exit: SandboxExit): SandboxExit;
  end(): void;
}

/** As `exec` of a sandbox keeps them, for a command that began before it was known what it is. */
function createLimits(clock: Clock, killing: AbortController): Limits {
  const over = new AbortController();
  let early: { readonly stream: 'stdout' | 'stderr'; readonly chunk: Buffer }[] = [];
  let earlyBytes = 0;
  let program: Limited | undefined;
  let leftBytes = 0;
  let beganMs = 0;
  let reached: 'timeout' | 'output_limit' | undefined;

  function stop(limit: 'timeout' | 'output_limit'): void {
    if (killing.signal.aborted) return;
    reached = limit;
    killing.abort();
  }

  function deliver(stream: 'stdout' | 'stderr', chunk: Buffer): void {
    if (program === undefined || leftBytes < 0) return;
    const part = chunk.subarray(0, leftBytes);
    leftBytes -= chunk.length;
    if (part.length > 0) program.onOutput(stream, part);
    if (leftBytes < 0) stop('output_limit');
  }

  return {
    onOutput(stream, chunk) {
      if (program !== undefined) return deliver(stream, chunk);
      earlyBytes += chunk.length;
      if (earlyBytes <= earlyBytesMax) early.push({ stream, chunk });
    },
    begin(given) {
      program = given;
      leftBytes = given.outputBytesMax;
      beganMs = clock.mono();
      void clock.sleep(given.timeoutMs, over.signal).then(() => over.signal.aborted || stop('timeout'));
      for (const { stream, chunk } of early) deliver(stream, chunk);
      early = [];
    },
    verdict(exit) {
      const durationMs = Math.min(exit.durationMs, clock.mono() - beganMs);
      return exit.reason === 'aborted' && reached !== undefined ? { reason: reached, durationMs } : { ...exit, durationMs };
    },
    end: () => over.abort(),
  };
}

interface Talk {
  begin(connection: Duplex): void;
  /** Says what is to be started, when there is somebody to be told. */
  give(job: Job, program: Pick<HostedProgram, 'onStart' | 'signal'>): void;
  interrupt(): void;
  heard(): HostEvent | undefined;
  end(): void;
}

function createTalk(): Talk {
  let connection: Duplex | undefined;
  let given: { readonly job: Job; readonly program: Pick<HostedProgram, 'onStart' | 'signal'> } | undefined;
  let heard: HostEvent | undefined;

  function say(line: Job | HostOrder): void {
    connection?.write(`${JSON.stringify(line)}\n`);
  }

  function sayJob(): void {
    if (connection === undefined || given === undefined) return;
    say(given.job);
    if (given.program.signal.aborted) say({ order: 'interrupt' });
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
        if (heard !== undefined || given === undefined) return;
        heard = eventOf(line);
        if (heard?.event === 'started') given.program.onStart?.();
      });
      // A parent that is killed may leave an order unread, which resets the connection: how it ended, its exit says.
      lines.on('error', () => {});
      sayJob();
    },
    give(job, program) {
      given = { job, program };
      sayJob();
    },
    interrupt() {
      if (given !== undefined) say({ order: 'interrupt' });
    },
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
