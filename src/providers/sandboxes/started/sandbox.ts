import { randomBytes } from 'node:crypto';
import type { Clock } from '../../../kernel/clock.ts';
import { Fault, isFault } from '../../../kernel/fault.ts';
import { commandsMax } from '../../../worker/sandbox.ts';
import type { Sandbox, SandboxCommand, SandboxExit, SandboxLimits, SandboxStats } from '../../../worker/sandbox.ts';
import type { Disks } from '../disk/index.ts';
import { openWorkspace } from '../disk/workspace.ts';
import { createFiles } from '../files.ts';
import type { Folder } from '../local/folder.ts';
import type { Tools } from '../local/host/tools.ts';
import { execute } from './execute.ts';
import type { Execution, Launched } from './execute.ts';
import { preamble, starterArgv } from './starter.ts';
import type { Counting } from './starter.ts';

export interface Start {
  readonly argv: readonly string[];
  readonly token: string;
  readonly stdin: string | Uint8Array | undefined;
}

/** How the commands of one sandbox are brought about. */
export interface Ground {
  readonly id: string;
  readonly limits: SandboxLimits;
  readonly home: { readonly disks: Disks | undefined; readonly tools: Tools; readonly clock: Clock };
  readonly folder: Folder;
  /** What was killed may take so long to be gone. */
  readonly clearMsMax: number;
  readonly counting: Counting;
  /** What the starter limits; undefined where that is somebody else's. */
  readonly processesMax: number | undefined;
  /** The descriptor that brings the preamble. */
  readonly preambleFd: number;
  /** Starts what ends in `argv`, of which `token` is a word. */
  launch(start: Start): Launched | Promise<Launched>;
  /** What kept it from starting, by the words of whoever should have started it. */
  fault(words: string): Fault;
  stats(inits: readonly (number | undefined)[]): Omit<SandboxStats, 'workspaceBytes'>;
  /** Removes every trace, when nothing runs any more, unless something that does not end is `haunting` it. */
  remove(haunting: boolean): Promise<void>;
}

export function createStartedSandbox(ground: Ground): Sandbox {
  const { id, limits, home, folder } = ground;
  const running = new Set<Execution>();
  const starting = new Set<Promise<Execution>>();
  const workspace = openWorkspace({
    ...{ ...home, id, folder, bytesMax: limits.workspaceBytes, whileAlive },
    onFull: () => running.forEach(({ stop }) => stop('workspace_full')),
  });
  let isHaunted = false;
  let gone: Promise<void> | undefined;

  async function remove(): Promise<void> {
    await workspace.settled();
    await Promise.allSettled(starting);
    for (const execution of running) execution.stop();
    await Promise.all([...running].map(({ done }) => done.catch(() => {})));
    await ground.remove(isHaunted);
  }

  async function exec(command: SandboxCommand): Promise<SandboxExit> {
    whileAlive();
    if (command.signal?.aborted) return { reason: 'aborted', durationMs: 0 };
    if (running.size + starting.size >= commandsMax)
      throw new Fault('wrong_state', { message: `${commandsMax} commands run in this sandbox, which is all that may at once` });
    return await workspace.during(() => started(command));
  }

  async function started(command: SandboxCommand): Promise<SandboxExit> {
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
    preamble({ token, command, hasInput: false, counting: 'unknown', processesMax: undefined });
    const launched = await ground.launch({ argv, token, stdin: command.stdin });
    const { clearMsMax, counting, processesMax, fault } = ground;
    return execute({ token, command, launched, limits, clock: home.clock, clearMsMax, counting, processesMax, fault });
  }

  function whileAlive(): void {
    if (gone) throw new Fault('wrong_state', { message: `the sandbox ${id} has been removed` });
  }

  return {
    ...{ id, limits, madeAtMs: home.clock.now(), exec, files: createFiles(exec) },
    stats: () =>
      Promise.resolve({ ...ground.stats([...running].map(({ init }) => init())), workspaceBytes: workspace.usedBytes() }),
    ...(workspace.snapshot === undefined ? {} : { snapshot: workspace.snapshot }),
    kill: () => (gone ??= remove()),
  };
}
