import type { Readable } from 'node:stream';
import { isObjectId, isSkepRef } from '../../../git/index.ts';
import type { GitAnswer, GitOptions, HostGit } from '../../../git/index.ts';
import type { Clock } from '../../../kernel/clock.ts';
import { Fault } from '../../../kernel/fault.ts';
import type { ObjectFormat } from './types.ts';

/** Git in one repository of the depot: no transport, and each call ends in time. */
export interface Bare {
  readonly gitDir: string;
  readonly lock: string;
  readonly objectFormat: ObjectFormat;
  readonly clock: Clock;
  run(args: readonly string[], options?: GitOptions): Promise<GitAnswer>;
  text(args: readonly string[], options?: GitOptions): Promise<string>;
  /** For a git that writes refs: it waits for others, and removes the lock files of those that were killed. */
  alone(args: readonly string[]): Promise<GitAnswer>;
}

export function bareAt(git: HostGit, place: Pick<Bare, 'gitDir' | 'lock' | 'objectFormat' | 'clock'>): Bare {
  const { gitDir, lock } = place;
  const inside = (args: readonly string[]): string[] => [`--git-dir=${gitDir}`, ...args];
  return {
    ...place,
    run: (args, options) => git.run(inside(args), options),
    text: (args, options) => git.text(inside(args), options),
    alone: args => git.run(inside(args), { lock, clears: gitDir }),
  };
}

/** Ids come from the database or from git: another one is a mistake of ours, and must not reach a command line. */
export function objectId(id: string): string {
  if (!isObjectId(id)) throw new Error(`no id of an object: ${JSON.stringify(id)}`);
  return id;
}

export function skepRef(ref: string): string {
  if (!isSkepRef(ref)) throw new Error(`no ref below refs/skep/: ${JSON.stringify(ref)}`);
  return ref;
}

/** The records of a -z output; one that was cut off is left out. */
export function records(output: Buffer): string[] {
  return output.toString('utf8').split('\0').slice(0, -1);
}

/** Ends a stream that does not end by itself in time, on which `work` would wait for ever. */
export async function inTime<T>(
  clock: Clock,
  { source, timeoutMs }: { source: Readable; timeoutMs: number },
  work: () => Promise<T>,
): Promise<T> {
  const over = new AbortController();
  void clock.sleep(timeoutMs, over.signal).then(() => {
    if (!over.signal.aborted)
      source.destroy(new Fault('invalid_request', { message: `The upload did not end within ${timeoutMs} ms` }));
  });
  try {
    return await work();
  } finally {
    over.abort();
  }
}
