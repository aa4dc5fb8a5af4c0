import { constants as os } from 'node:os';
import type { Clock } from '../../../kernel/clock.ts';
import type { Fault } from '../../../kernel/fault.ts';
import type { SandboxCommand, SandboxExit } from '../../../worker/sandbox.ts';
import { clearMsMax, endlessFault, within } from './host/ending.ts';
import type { OomKills } from './host/oom.ts';
import type { Lane } from './lanes.ts';
import type { Launch, Launched } from './launcher.ts';
import { readOutput } from './output.ts';
import type { Output } from './output.ts';

type StopReason = 'timeout' | 'output_limit' | 'workspace_full' | 'aborted';

interface Job {
  readonly launch: Launch;
  readonly lane: Pick<Lane, 'pipes' | 'open'>;
  /** A file to be read as standard input; its name is removed. */
  readonly stdin: string | undefined;
  readonly command: SandboxCommand;
  /** Of the sandbox. */
  readonly workspaceBytesMax: number;
  readonly oomKills: OomKills;
  readonly clock: Clock;
}

export interface Execution {
  readonly done: Promise<SandboxExit>;
  /** Process 1 of what runs. */
  readonly init: () => number | undefined;
  stop(reason?: 'aborted' | 'workspace_full'): void;
}

/** Starts the command. `done` resolves when nothing of the sandbox is left; it throws Fault `sandbox_unavailable` where the set-up failed. */
export function execute(job: Job): Execution {
  const { command, clock, workspaceBytesMax } = job;
  const startedMs = clock.mono();
  const over = new AbortController();
  const isKilledForMemory = job.oomKills.watch();
  let stopped: StopReason | undefined;
  let broken: unknown;
  let begun = false;
  let giveUp = (): void => {};
  const givenUp = new Promise<'given up'>(resolve => {
    giveUp = () => resolve('given up');
  });

  const ends = job.lane.open();
  // Before all else: what follows is done while the command is being started.
  const { pipes } = job.lane;
  const launched = launch(job, { command, pipes, ends, stdin: job.stdin, onBegin: begin });
  const output = read({ ends, command, onLimit: () => stop('output_limit'), onError: fail, onSpeak: begin }, launched);

  function begin(): void {
    if (begun) return;
    begun = true;
    output.release();
    if (command.ask?.aborted) ask();
    command.onStart?.();
  }

  function fail(error: unknown): void {
    broken ??= error;
    stop('aborted');
  }

  function stop(reason: StopReason): void {
    stopped ??= reason;
    launched.kill();
    void clock.sleep(clearMsMax, over.signal).then(giveUp);
  }

  async function finish(): Promise<SandboxExit> {
    const code = await Promise.race([launched.ended, givenUp]);
    // Without a word an error would be made, with the way that led to it.
    over.abort('over');
    if (code === 'given up') throw endlessFault();
    if (code !== undefined) begin();
    const words = output.words();
    await within(output.ended, clock);
    if (broken !== undefined)
      throw broken instanceof Error ? broken : new Error('the receiver of the output failed', { cause: broken });
    const oom = isKilledForMemory();
    const durationMs = clock.mono() - startedMs;
    return verdict({ stopped, workspaceBytesMax, oom, begun, code, refusal: () => launched.refusal(words), durationMs });
  }

  function ask(): void {
    // The program that is asked must be the command's and not yet bubblewrap: that would end without a word of why.
    if (begun) launched.ask();
  }

  void clock.sleep(command.timeoutMs, over.signal).then(() => over.signal.aborted || stop('timeout'));
  const abort = () => stop('aborted');
  command.signal?.addEventListener('abort', abort, { once: true });
  if (command.signal?.aborted) abort();
  command.ask?.addEventListener('abort', ask, { once: true });
  const done = finish().finally(() => {
    command.signal?.removeEventListener('abort', abort);
    command.ask?.removeEventListener('abort', ask);
    output.destroy();
  });
  return { done, init: launched.init, stop: (reason = 'aborted') => stop(reason) };
}

function launch(job: Job, start: Parameters<Launch>[0]): Launched {
  try {
    return job.launch(start);
  } catch (error) {
    start.ends.close();
    throw error;
  }
}

/** A command whose output nobody can read has nobody who would end it. */
function read(options: Parameters<typeof readOutput>[0], launched: Launched): Output {
  try {
    return readOutput(options);
  } catch (error) {
    launched.kill();
    options.ends.close();
    throw error;
  }
}

interface Ended {
  readonly stopped: StopReason | undefined;
  readonly workspaceBytesMax: number;
  readonly oom: boolean;
  readonly begun: boolean;
  readonly code: number | undefined;
  readonly refusal: () => Fault | 'not_found';
  readonly durationMs: number;
}

function verdict({ stopped, workspaceBytesMax, oom, begun, code, refusal, durationMs }: Ended): SandboxExit {
  if (stopped === 'workspace_full') return { reason: stopped, workspaceBytesMax, durationMs };
  if (stopped !== undefined) return { reason: stopped, durationMs };
  // A command that lost a child to the limit and yet succeeded has coped.
  if (oom && code !== 0) return { reason: 'out_of_memory', durationMs };
  if (code !== undefined) {
    const signal = Object.entries(os.signals).find(([, number]) => number === code - 128)?.[0];
    return signal === undefined ? { reason: 'exited', code, durationMs } : { reason: 'signaled', signal, durationMs };
  }
  if (begun) return { reason: 'signaled', signal: 'SIGKILL', durationMs };
  const why = refusal();
  if (why === 'not_found') return { reason: why, durationMs };
  throw why;
}
