import { join } from 'node:path';
import type { Claimed } from '../../../contract/runs.ts';
import { backoffMs } from '../../client/index.ts';
import type { Client } from '../../client/index.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { Log } from '../../kernel/log.ts';
import type { Sandbox, SandboxProvider } from '../sandbox.ts';
import { createNaps } from './naps.ts';
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
  const outbox = createOutbox({ ...options, folder: join(folder, 'rescued') });
  const reaper = createReaper({ ...options, notes, outbox });
  const stopping = new AbortController();
  const naps = createNaps(clock, stopping.signal);
  let failures = 0;
  let running: Promise<void> | undefined;

  async function look(): Promise<void> {
    const { signal } = stopping;
    await alone(join(folder, 'reaping'), clock, () => reaper.reap(signal));
    const isTold = await alone(join(folder, 'telling'), clock, () => outbox.tell(signal));
    failures = isTold === false ? failures + 1 : 0;
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      await look().catch((error: unknown) =>
        log.error({ error: String(error) }, 'what dead workers have left could not be looked at'),
      );
      await naps.rest(failures === 0 ? lookEveryMs * (0.75 + random() / 2) : backoffMs(failures - 1, random, tellAgain));
    }
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

  return {
    async noted(claimed, work) {
      const written = await note(claimed);
      if (written === undefined) return work(() => Promise.resolve());
      let isKept = false;
      try {
        return await work(async sandbox => {
          isKept = await keepLost(written.note, sandbox, { outbox, clock, log });
        });
      } finally {
        if (isKept) outbox.add(written);
        else notes.remove(written);
        if (isKept) naps.wake();
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
