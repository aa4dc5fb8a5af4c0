import { constants } from 'node:os';
import type { Clock } from '../../../../kernel/clock.ts';
import type { Log } from '../../../../kernel/log.ts';
import { within } from '../host/ending.ts';
import { diskFault, setupFault } from '../host/tools.ts';
import { sameFolders } from '../folder.ts';
import type { Pipes } from '../output.ts';
import type { Launched, Start } from '../launcher.ts';
import { createBoard } from './board.ts';
import type { Board } from './board.ts';
import type { Connection } from './connection.ts';
import { heard, number, sent, text } from './frames.ts';
import { launchNative, nameOf } from './job.ts';
import { planParts } from './plan.ts';
import type { Plan } from './plan.ts';

/** Starts sandboxes by one process that stays, and that makes each of itself. It ends with this one, and all that it has started with it. */
export interface Native {
  /** The program. */
  readonly path: string;
  /** Resolves when it runs; throws Fault `sandbox_unavailable`. */
  ready(): Promise<void>;
  /** What a sandbox is, before its first command. */
  open(plan: Plan): Place;
}

/** One sandbox, as the launcher knows it. */
export interface Place {
  /** New pipes under these names, of the sandbox's user. Throws Fault `sandbox_unavailable` or `disk_full`. */
  pipes(pipes: Pipes): Promise<void>;
  launch(start: Start): Launched;
  /** Has a process wait in the sandbox for the next command. Resolves with whether one does. */
  spare(): Promise<boolean>;
  /** Whether a process waits, by what was heard last. */
  isReady(): boolean;
  /** Before its first command: the sandbox lies elsewhere now, and shows these folders. */
  change(plan: Plan): void;
  /**
   * Ends all that runs or waits in it. Resolves with whether it is sure that nothing of it is left; throws Fault `failed` where it does
   * not end.
   */
  close(): Promise<boolean>;
}

interface Options {
  readonly path: string;
  readonly seccomp: Buffer;
  readonly clock: Clock;
  readonly log: Log;
}

export function createNative({ path, seccomp, clock, log }: Options): Native {
  const board = createBoard({ path, seccomp, log });
  return { path, open: plan => openPlace({ board, clock, plan }), ready: () => board.connection().ready };
}

interface Opening {
  readonly board: Board;
  readonly clock: Clock;
  readonly plan: Plan;
}

function openPlace({ board, clock, plan: first }: Opening): Place {
  const id = board.next();
  let plan = first;
  let knownTo: Connection | undefined;
  let spared: Promise<boolean> | undefined;
  /** The launcher knows another plan, in which nothing is otherwise that concerns what waits. */
  let isBehind = false;

  function described(): Connection {
    const to = board.connection();
    if (knownTo !== to || isBehind) to.send(sent.describe, id, planParts(plan));
    knownTo = to;
    isBehind = false;
    return to;
  }

  /** Where none can be made, the next command says why. */
  async function spare(): Promise<boolean> {
    try {
      described().send(sent.spare, id);
      return (await board.answer(heard.spared, id)) === 1;
    } catch {
      return false;
    }
  }

  return {
    spare: () => (spared ??= spare().finally(() => void (spared = undefined))),
    pipes: pipes => makePipes(board, plan.uid, pipes),
    isReady: () => board.waiting.has(id),
    launch(start) {
      const job = board.next();
      board.waiting.delete(id);
      return launchNative(start, {
        begin(words) {
          const to = described();
          to.send(sent.start, job, [number(id), ...words]);
          // What else this process does for the command it does while the command is being started.
          to.now();
        },
        signal: by => board.signal(job, to => to.send(sent.signal, job, [number(by)])),
        listen: listener => board.listen(job, listener),
        leave: () => board.leave(job),
      });
    },
    change(changed) {
      const before = plan.binds;
      plan = changed;
      isBehind = true;
      // Where it shows all that it is to show, and to another launcher, it is told with its first command where it lies now.
      if (knownTo !== board.connection() || sameFolders(before, plan.binds)) return;
      const to = described();
      // What shows something else is ended, and another process begun while the rest of the sandbox is made.
      if (before.length > 0) to.send(sent.spare, id);
      to.now();
    },
    async close() {
      if (knownTo === undefined) return true;
      if (knownTo.isOver()) return false;
      knownTo.send(sent.forget, id);
      return (await within(board.answer(heard.forgotten, id), clock)) !== undefined;
    },
  };
}

async function makePipes(board: Board, uid: number, { stdout, stderr }: Pipes): Promise<void> {
  const asked = board.next();
  board.connection().send(sent.pipes, asked, [number(uid), text(stdout), text(stderr)]);
  const errno = (await board.answer(heard.piped, asked)) ?? constants.errno.EPIPE;
  if (errno === constants.errno.ENOSPC || errno === constants.errno.EDQUOT) throw diskFault(new Error('No space left'));
  if (errno !== 0) throw setupFault(`the pipes of a command: ${nameOf(errno)}`);
}
