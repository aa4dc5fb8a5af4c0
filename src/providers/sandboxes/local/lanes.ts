import { chownSync, existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Fault } from '../../../kernel/fault.ts';
import { commandsMax } from '../../../worker/sandbox.ts';
import { run } from './host/tools.ts';
import type { Tools } from './host/tools.ts';
import { openEnds } from './output.ts';
import type { Ends, Pipes } from './output.ts';

/** For as many commands as may run in one sandbox at once; each has its own pipes, which the next command after it has again. */
interface Lanes {
  /** Throws Fault `wrong_state` where all are taken. */
  take(): Lane;
  /** Closes what was opened before there was a command, where none came. */
  close(): void;
}

export interface Lane {
  readonly pipes: Pipes;
  /** Whether its pipes are there. */
  isMade(): boolean;
  /** Makes them. Throws Fault `sandbox_unavailable` or `disk_full`. */
  make(): Promise<void>;
  /** The caller's to close. */
  open(): Ends;
  /** Something holds them: whoever takes the lane next gets new ones. */
  haunt(): void;
  give(): void;
}

interface Place {
  /** Of the worker alone. */
  readonly path: string;
  readonly uid: number | undefined;
  readonly tools: Tools;
  /** Makes new pipes of the sandbox's user; else a program of the system does. */
  readonly make?: ((pipes: Pipes) => Promise<void>) | undefined;
  /** Of the first pipes, which are there then, from before there was a command. */
  readonly opened?: Ends | undefined;
}

export function createLanes({ path, opened, ...place }: Place): Lanes {
  const free = Array.from({ length: commandsMax }, (_, number) => number);
  const made = new Set<number>(opened !== undefined || existsSync(pipesOf(path, 0).stderr) ? [0] : []);
  let first = opened;
  return {
    take() {
      const number = free.shift();
      if (number === undefined)
        throw new Fault('wrong_state', { message: `${commandsMax} commands run in this sandbox, which is all that may at once` });
      const pipes = pipesOf(path, number);
      return {
        pipes,
        isMade: () => made.has(number),
        async make() {
          await (place.make ?? (each => makePipes(each, place)))(pipes);
          made.add(number);
        },
        open() {
          const ends = number === 0 && first !== undefined ? first : openEnds(pipes);
          if (ends === first) first = undefined;
          return ends;
        },
        haunt: () => void made.delete(number),
        give() {
          free.push(number);
          free.sort((a, b) => a - b);
        },
      };
    },
    close() {
      first?.close();
      first = undefined;
    },
  };
}

/** What has been made for the first command before there was one is there already. */
export function pipesOf(path: string, number: number): Pipes {
  return { stdout: join(path, `stdout${number}`), stderr: join(path, `stderr${number}`) };
}

/** New ones, also where something holds those that were there. */
async function makePipes({ stdout, stderr }: Pipes, { uid, tools }: Pick<Place, 'uid' | 'tools'>): Promise<void> {
  const pipes = [stdout, stderr];
  for (const pipe of pipes) rmSync(pipe, { force: true });
  await run(tools.mkfifo, ['-m', '600', '--', ...pipes]);
  // The owner of a pipe may open it again as /dev/stderr, which scripts do.
  if (uid !== undefined) for (const pipe of pipes) chownSync(pipe, uid, uid);
}
