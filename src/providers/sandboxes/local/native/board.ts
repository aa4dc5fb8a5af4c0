import type { Log } from '../../../../kernel/log.ts';
import { connect } from './connection.ts';
import type { Connection } from './connection.ts';
import { heard, readReport } from './frames.ts';
import type { Heard, Report } from './frames.ts';
import { configParts } from './plan.ts';

/** Who waits for what from the launcher, of which one runs at a time. */
export interface Board {
  /** Names a sandbox, a job or a question. */
  next(): number;
  /** The launcher that runs; another where that has ended. Throws Fault `sandbox_unavailable`. */
  connection(): Connection;
  /** Resolves with what is answered, undefined where the launcher ends before it. */
  answer(kind: number, id: number): Promise<number | undefined>;
  listen(job: number, listener: Job): void;
  leave(job: number): void;
  /** Of a command that is on its way or runs. */
  signal(job: number, send: (to: Connection) => void): void;
  /** The sandboxes in which a process waits. */
  readonly waiting: Set<number>;
}

/** A command that is on its way or runs. */
export interface Job {
  readonly onHeld: (pid: number) => void;
  readonly onBegun: () => void;
  readonly onRefused: (report: Report) => void;
  /** Undefined where it has no exit code. */
  readonly onEnded: (code: number | undefined) => void;
}

interface Options {
  readonly path: string;
  readonly seccomp: Buffer;
  readonly log: Log;
}

const noCode = 0xffffffff;

export function createBoard({ path, seccomp, log }: Options): Board {
  const jobs = new Map<number, Job>();
  const questions = new Map<string, (value: number | undefined) => void>();
  const waiting = new Set<number>();
  let last = 0;
  let current: Connection | undefined;

  function opened(): Connection {
    const connection = connect({ path, config: configParts(seccomp), onFrame, onEnd: words => over(connection, words) });
    // What waits for its beginning is on its way.
    const job = (last += 1);
    jobs.set(job, silent);
    const begun = (): void => leave(job);
    void connection.ready.then(begun, begun);
    return connection;
  }

  function over(ended: Connection, words: string): void {
    if (current === ended) current = undefined;
    waiting.clear();
    if (ended.wasReady())
      log.warn({ words }, 'the launcher of sandboxes has ended, and what it ran with it; the next command starts another');
    for (const job of [...jobs.values()]) job.onEnded(undefined);
    for (const tell of [...questions.values()]) tell(undefined);
  }

  function settle(): void {
    current?.busy(jobs.size + questions.size > 0);
  }

  function leave(job: number): void {
    jobs.delete(job);
    settle();
  }

  function onFrame({ kind, id, body }: Heard): void {
    const value = body.length < 4 ? 0 : body.readUInt32LE(0);
    // Said when asked for, and when one that waited has ended.
    if (kind === heard.spared && value === 1) waiting.add(id);
    else if (kind === heard.spared) waiting.delete(id);
    questions.get(`${kind} ${id}`)?.(value);
    const job = jobs.get(id);
    if (job !== undefined) tell(job, { kind, value, body });
  }

  return {
    waiting,
    next: () => (last += 1),
    connection() {
      if (current === undefined || current.isOver()) current = opened();
      settle();
      return current;
    },
    answer: (kind, id) =>
      new Promise(resolve => {
        questions.set(`${kind} ${id}`, value => {
          questions.delete(`${kind} ${id}`);
          settle();
          resolve(value);
        });
        settle();
      }),
    listen(job, listener) {
      jobs.set(job, listener);
      settle();
    },
    leave,
    signal(job, send) {
      if (jobs.has(job) && current !== undefined) send(current);
    },
  };
}

const nothing = (): void => {};
const silent: Job = { onHeld: nothing, onBegun: nothing, onRefused: nothing, onEnded: nothing };

function tell(job: Job, { kind, value, body }: { kind: number; value: number; body: Buffer }): void {
  if (kind === heard.held) job.onHeld(value);
  if (kind === heard.begun) job.onBegun();
  if (kind === heard.refused) job.onRefused(readReport(body));
  if (kind === heard.ended) job.onEnded(value === noCode ? undefined : value);
}
