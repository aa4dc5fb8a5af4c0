import { randomBytes } from 'node:crypto';
import type { Clock } from '../../../kernel/clock.ts';
import { Fault, isFault } from '../../../kernel/fault.ts';
import { commandsMax } from '../../../worker/sandbox.ts';
import type { Sandbox, SandboxCommand, SandboxExit, SandboxLimits, SandboxStats } from '../../../worker/sandbox.ts';
import { createFiles } from '../files.ts';
import { execute } from './execute.ts';
import type { Execution, Launched } from './execute.ts';
import { preamble, starterArgv } from './starter.ts';

export interface Start {
  readonly argv: readonly string[];
  readonly token: string;
  readonly stdin: string | Uint8Array | undefined;
}

/** How the commands of one sandbox are brought about. */
export interface Ground {
  readonly id: string;
  readonly limits: SandboxLimits;
  readonly clock: Clock;
  /** What was killed may take so long to be gone. */
  readonly clearMsMax: number;
  readonly countsKills: boolean;
  /** The descriptor that brings the preamble. */
  readonly preambleFd: number;
  /** Starts what ends in `argv`, of which `token` is a word. */
  launch(start: Start): Launched | Promise<Launched>;
  /** What kept it from starting, by the words of whoever should have started it. */
  fault(words: string): Fault;
  stats(inits: readonly (number | undefined)[]): SandboxStats;
  /** Removes every trace, when nothing runs any more, unless something that does not end is `haunting` it. */
  remove(haunting: boolean): Promise<void>;
}

export function createStartedSandbox(ground: Ground): Sandbox {
  const { id, limits, clock } = ground;
  const running = new Set<Execution>();
  const starting = new Set<Promise<Execution>>();
  let isHaunted = false;
  let gone: Promise<void> | undefined;

  async function remove(): Promise<void> {
    await Promise.allSettled(starting);
    for (const execution of running) execution.stop();
    await Promise.all([...running].map(({ done }) => done.catch(() => {})));
    await ground.remove(isHaunted);
  }

  async function exec(command: SandboxCommand): Promise<SandboxExit> {
    if (gone) throw removed();
    if (command.signal?.aborted) return { reason: 'aborted', durationMs: 0 };
    if (running.size + starting.size >= commandsMax)
      throw new Fault('wrong_state', { message: `${commandsMax} commands run in this sandbox, which is all that may at once` });
    const start = begin(command);
    starting.add(start);
    const execution = await start.finally(() => starting.delete(start));
    running.add(execution);
    // Removed while it began: whoever removes it has yet to stop what runs, or has passed by.
    if (gone) execution.stop();
    try {
      return await execution.done;
    } catch (error) {
      isHaunted ||= isFault(error, 'failed');
      throw error;
    } finally {
      running.delete(execution);
    }
  }

  async function begin(command: SandboxCommand): Promise<Execution> {
    const token = `skep-${id}-${randomBytes(8).toString('hex')}`;
    const argv = starterArgv({ token, command, preambleFd: ground.preambleFd });
    // What can't be said to the starter is refused before anything is started.
    preamble({ token, command, hasInput: false, countsKills: false });
    const launched = await ground.launch({ argv, token, stdin: command.stdin });
    const { clearMsMax, countsKills, fault } = ground;
    return execute({ token, command, launched, clock, clearMsMax, countsKills, fault });
  }

  function removed(): Fault {
    return new Fault('wrong_state', { message: `the sandbox ${id} has been removed` });
  }

  return {
    ...{ id, limits, madeAtMs: clock.now(), exec, files: createFiles(exec) },
    stats: () => Promise.resolve(ground.stats([...running].map(execution => execution.init()))),
    kill: () => (gone ??= remove()),
  };
}
