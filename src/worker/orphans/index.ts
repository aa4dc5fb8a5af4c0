import { join } from 'node:path';
import type { Claimed } from '../../../contract/runs.ts';
import { backoffMs } from '../../client/index.ts';
import type { Client } from '../../client/index.ts';
import type { Clock } from '../../kernel/clock.ts';
import { failpoint } from '../../kernel/failpoint.ts';
import type { Log } from '../../kernel/log.ts';
import type { Sandbox, SandboxProvider } from '../sandbox.ts';
import { createNaps } from './naps.ts';
import type { Naps } from './naps.ts';
import { createNotes, noteOf } from './notes.ts';
import type { LeftNote, Note } from './notes.ts';
import { createOutbox } from './outbox.ts';
import type { Outbox } from './outbox.ts';
import { createReaper } from './reaper.ts';
import { rescue } from './rescue.ts';
import { alone } from './turn.ts';

/** What workers of this machine that died have left: it is looked for again and again, brought home, and removed. */
export interface Orphans {
  /**
   * Notes a run while `work` lasts, so that another worker finds what this one leaves should it die. What `work` is given is to be
   * called with the workspace of a run whose lease is lost, before that is removed; it never throws.
   */
  noted<T>(claimed: Claimed, work: (onLost: (sandbox: Sandbox) => Promise<void>) => Promise<T>): Promise<T>;
  /** Looks at once, and from then on every half minute. */
  start(): void;
  /** Resolves when nothing is under way any more; what was begun is left to the next worker. */
  stop(): Promise<void>;
}

export interface OrphansOptions {
  /** Workers that share it look after each other. */
  readonly folder: string;
  readonly sandboxes: SandboxProvider;
  readonly client: Client;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
}

const lookEveryMs = 30_000;
/** Between calls to a server that does not answer. */
const tellAgain = { firstMs: 500, longestMs: lookEveryMs };
/** For the work of a run whose lease is lost: so long its place is taken, and somebody else may do the same work. */
const keepMsMax = 20_000;

export function createOrphans(options: OrphansOptions): Orphans {
  const { folder, client, clock, random, log } = options;
  const notes = createNotes(join(folder, 'notes'));
  const stopping = new AbortController();
  const { signal } = stopping;
  const [looking, telling] = [createNaps(clock, signal), createNaps(clock, signal)];
  const outbox = waking(createOutbox({ ...options, folder: join(folder, 'rescued') }), telling.wake);
  const reaper = createReaper({ ...options, notes, outbox });
  let failures = 0;
  let running: Promise<unknown> | undefined;

  async function look(): Promise<number> {
    await alone(join(folder, 'reaping'), clock, () => reaper.reap(signal));
    return usualMs(random);
  }

  async function tell(): Promise<number> {
    const isTold = await alone(join(folder, 'telling'), clock, () => outbox.tell(signal));
    failures = isTold === false ? failures + 1 : 0;
    return failures === 0 ? usualMs(random) : backoffMs(failures - 1, random, tellAgain);
  }

  /** Side by side: what is hard to rescue, and a server that is away, hold up nothing but themselves. */
  function run(): Promise<unknown> {
    return Promise.all([
      repeat(look, { ...options, naps: looking, signal }),
      repeat(tell, { ...options, naps: telling, signal }),
    ]);
  }

  /** A run is not refused for want of a note: without one its lease runs out as ever. */
  async function note(claimed: Claimed): Promise<LeftNote | undefined> {
    try {
      return notes.write(noteOf(claimed, (await client.access()).server));
    } catch (error) {
      log.warn(
        { run: claimed.run.id, error: String(error) },
        'a run could not be noted; should this worker die, its work is lost',
      );
      return undefined;
    }
  }

  /** A note that stays is found when this worker is dead, and then there is nothing left to bring home. */
  function settle(written: LeftNote, isKept: boolean): void {
    try {
      if (isKept) outbox.add(written);
      else notes.remove(written);
    } catch (error) {
      log.warn({ run: written.note.runId, error: String(error) }, 'the note of a run that is over could not be moved');
    }
  }

  return {
    async noted(claimed, work) {
      const written = await note(claimed);
      if (written === undefined) return work(() => Promise.resolve());
      failpoint('run-noted');
      let isKept = false;
      try {
        return await work(async sandbox => {
          isKept = await keepLost(written.note, sandbox, { outbox, clock, log });
        });
      } finally {
        settle(written, isKept);
      }
    },
    start() {
      running ??= run();
    },
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

interface Repeating extends Pick<OrphansOptions, 'random' | 'log'> {
  readonly naps: Naps;
  readonly signal: AbortSignal;
}

/** `work` returns how long to rest after it, in milliseconds. */
async function repeat(work: () => Promise<number>, { naps, signal, random, log }: Repeating): Promise<void> {
  while (!signal.aborted) {
    const restMs = await work().catch((error: unknown) => {
      log.error({ error: String(error) }, 'what dead workers have left could not be looked at');
      return usualMs(random);
    });
    await naps.rest(restMs);
  }
}

function usualMs(random: () => number): number {
  return lookEveryMs * (0.75 + random() / 2);
}

/** What is added is told of at once. */
function waking(outbox: Outbox, wake: () => void): Outbox {
  return {
    ...outbox,
    add(left) {
      outbox.add(left);
      wake();
    },
  };
}

/** Whether there was anything to be kept. Never throws: the workspace is removed in any case. */
async function keepLost(
  note: Note,
  sandbox: Sandbox,
  { outbox, clock, log }: { outbox: Outbox; clock: Clock; log: Log },
): Promise<boolean> {
  const over = new AbortController();
  void clock.sleep(keepMsMax, over.signal).then(() => over.abort(new Error(`it took more than ${keepMsMax} ms`)));
  try {
    if (note.work === undefined) return false;
    return await rescue(sandbox, note.work, { files: outbox.filesOf(note), signal: over.signal });
  } catch (error) {
    log.warn({ run: note.runId, error: String(error) }, 'the work of a run that is lost could not be kept');
    return false;
  } finally {
    over.abort();
  }
}
