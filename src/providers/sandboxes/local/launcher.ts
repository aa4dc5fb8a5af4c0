import type { Fault } from '../../../kernel/fault.ts';
import type { SandboxCommand } from '../../../worker/sandbox.ts';
import type { Ends, Pipes } from './output.ts';

/** A command that is to be started, with what it reads and writes. */
export interface Start {
  readonly command: SandboxCommand;
  readonly pipes: Pipes;
  readonly ends: Ends;
  /** A file to be read as standard input; its name is removed. */
  readonly stdin: string | undefined;
  /** Called when the command's own program runs, and not merely what is around it. */
  readonly onBegin: () => void;
}

/**
 * Starts a command in one sandbox; what it starts ends with it. `ends.closeWriters` is called once the command has them. Throws
 * Fault `sandbox_unavailable` or `too_large` where that is known at once.
 */
export type Launch = (start: Start) => Launched;

export interface Launched {
  /** Process 1 of what has been started, while there is one. */
  readonly init: () => number | undefined;
  /** Resolves when nothing of it is left, with the exit code of the command, 128 + n for signal n; undefined where there was none. */
  readonly ended: Promise<number | undefined>;
  /** Why no program was started, where none was; `words` are what stood on stderr. */
  readonly refusal: (words: string) => Fault | 'not_found';
  kill(): void;
  /** Sends SIGTERM to the command's own process. */
  ask(): void;
}
