import type { Settings } from '../../config.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { Log } from '../../kernel/log.ts';
import { keepNote } from './note.ts';

/** What works beside the server in the same process. */
export interface Companion {
  readonly description: string;
  /** Lets what runs end, at most `graceMs`. May be called again with less patience. */
  stop(graceMs: number): Promise<void>;
  /** Rejects when it cannot go on. */
  readonly ended: Promise<void>;
}

/** Called when the server is ready. */
export type StartCompanion = (at: { url: string; mintToken: () => Promise<string>; log: Log }) => Promise<Companion>;

type Server = Awaited<ReturnType<typeof import('../../main.ts')['startServer']>>;

export interface Launched extends Pick<Server, 'url' | 'adminToken' | 'database'> {
  readonly companion: Companion | undefined;
  /** A token of role member, for commands of this process. */
  readonly mintToken: () => Promise<string>;
  readonly mintWorkerToken: () => Promise<string>;
  /** Hands out no work from here on, and is not ready. */
  readonly drain: () => void;
  /** Hands back what the companion still runs, takes the note away and stops the server, the database last. */
  stop(): Promise<void>;
}

interface Parts {
  readonly clock: Clock;
  readonly log: Log;
  readonly startCompanion?: StartCompanion | undefined;
}

/** Starts the server in this process, what works beside it, and leaves the note by which commands find it. */
export async function launch(settings: Settings, { clock, log, startCompanion }: Parts): Promise<Launched> {
  const { startServer } = await import('../../main.ts');
  const server = await startServer(settings, log);
  const closing: (() => Promise<void>)[] = [() => server.stop()];
  const stop = async (): Promise<void> => {
    // In turn, each whatever became of the one before.
    const failures: unknown[] = [];
    for (const close of closing.splice(0)) await close().catch((error: unknown) => failures.push(error));
    if (failures.length > 0) throw failures[0];
  };
  try {
    const mintToken = () => server.mintLocalToken();
    const mintWorkerToken = () => server.mintWorkerToken();
    const companion = await startCompanion?.({ url: server.url, mintToken: mintWorkerToken, log });
    if (companion !== undefined) closing.unshift(() => companion.stop(0));
    closing.unshift(await keepNote(settings.SKEP_HOME, { url: server.url, worker: companion !== undefined, clock, mintToken }));
    return {
      url: server.url,
      adminToken: server.adminToken,
      database: server.database,
      companion,
      mintToken,
      mintWorkerToken,
      drain: () => server.drain(),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Ends what is at work on the database of a home whose server was killed and that is to be removed. Throws Fault `folder_in_use`. */
export async function endDatabase(home: string, clock: Clock): Promise<void> {
  const { clearEmbedded } = await import('../../main.ts');
  await clearEmbedded(home, clock);
}
