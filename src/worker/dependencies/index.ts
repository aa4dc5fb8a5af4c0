import type { Clock } from '../../kernel/clock.ts';
import { isFault } from '../../kernel/fault.ts';
import type { Log } from '../../kernel/log.ts';
import type { CommitFiles } from '../repository/tree.ts';
import type { KeptSnapshot } from '../sandbox.ts';
import { createFailures } from './failures.ts';
import type { Failed } from './failures.ts';
import { dependencyKey } from './key.ts';
import type { Circumstances } from './key.ts';
import type { Layer, Taken } from './layer.ts';
import { createShelf } from './shelf.ts';

export { narrowed } from './key.ts';
export type { Circumstances } from './key.ts';
export type { Layer, Taken } from './layer.ts';

export interface Dependencies {
  /** Of a setup command. */
  readonly timeoutMs: number;
  /** Names what the setup leaves on this commit; `list` is asked only where that is not known yet. */
  keyOf(given: Circumstances, commit: string, list: () => Promise<CommitFiles>): Promise<string>;
  /**
   * The layer of this key. Where there is none, `make` is called; whoever else asks meanwhile waits for it, and where that one gave up,
   * makes it in its place. Throws what `make` throws, the signal's reason, or for a while what the last `make` of this key failed of.
   */
  take(key: string, wish: Wish): Promise<Taken>;
  /** Leaves what is kept to the next worker, where it may, and removes the rest; nobody may be at work with it any more. */
  close(): Promise<void>;
}

export interface Wish {
  readonly make: () => Promise<Layer>;
  /** For what has just failed to be told by, to `insists` of others. */
  readonly beganAt: string;
  /** Whether it is to be tried once more although it has just failed: asked only of who has not waited for it. */
  readonly insists: (failed: Failed) => boolean;
  readonly signal: AbortSignal;
  readonly onWait: () => void;
}

export interface DependencyLimits {
  /** Of a setup command. */
  readonly timeoutMs: number;
  readonly layersMax: number;
  readonly layerBytesMax: number;
}

/** As settings have them where nothing is said. */
export const usualDependencies: DependencyLimits = { timeoutMs: 900_000, layersMax: 20, layerBytesMax: 20 * 2 ** 30 };

export interface Options extends DependencyLimits {
  /** What earlier workers have kept, what was used last at the end; without it what is kept is gone with this one. */
  readonly found?: readonly KeptSnapshot[] | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

/** What was found is kept in memory; what is to outlive the worker stands beside the snapshots themselves. */
export function createDependencies(options: Options): Dependencies {
  const shelf = createShelf(options);
  const failures = createFailures(options.clock);
  const making = new Map<string, Promise<void>>();

  async function make(key: string, wish: Wish): Promise<Taken> {
    let over = (): void => {};
    making.set(key, new Promise(resolve => (over = resolve)));
    try {
      const layer = await wish.make();
      failures.forget(key);
      return shelf.put(key, layer);
    } catch (error) {
      if (!wish.signal.aborted && isOfSetup(error)) failures.note(key, { error, beganAt: wish.beganAt });
      throw error;
    } finally {
      making.delete(key);
      over();
    }
  }

  /** Only of what an earlier worker has kept nobody knows yet. */
  async function isWhole({ snapshot: { id, isWhole: look } }: Taken): Promise<boolean> {
    if (look === undefined || (await look())) return true;
    options.log.warn({ snapshot: id }, 'dependencies that an earlier worker has kept are not whole any more, and made anew');
    return false;
  }

  const keys = createKeys();

  return {
    timeoutMs: options.timeoutMs,
    keyOf: keys.of,
    async take(key, wish) {
      const { signal } = wish;
      for (let hasWaited = false; ; hasWaited = true) {
        signal.throwIfAborted();
        const found = shelf.take(key);
        if (found !== undefined) {
          if (await isWhole(found)) return found;
          shelf.drop(key, found);
          found.release();
          continue;
        }
        const failed = failures.of(key);
        if (failed !== undefined && (hasWaited || !wish.insists(failed))) throw failed.error;
        const others = making.get(key);
        if (others === undefined) return make(key, wish);
        if (!hasWaited) wish.onWait();
        await eitherOf(others, signal);
      }
    },
    close: shelf.close,
  };
}

/** Keys that are known; a commit never changes. */
const keysMax = 1_000;

function createKeys(): { of: Dependencies['keyOf'] } {
  const known = new Map<string, string>();
  return {
    async of(given, commit, list) {
      const name = `${commit} ${JSON.stringify(given)}`;
      const before = known.get(name);
      if (before !== undefined) return before;
      const key = dependencyKey(given, { id: commit, ...(await list()) });
      for (const oldest of [...known.keys()].slice(0, Math.max(0, known.size + 1 - keysMax))) known.delete(oldest);
      known.set(name, key);
      return key;
    },
  };
}

/** What else failed may go well the next moment. */
function isOfSetup(error: unknown): error is Error {
  return isFault(error, 'failed') && error.facts['class'] === 'setup';
}

/** Resolves with the work, or when the signal is aborted. */
async function eitherOf(work: Promise<void>, signal: AbortSignal): Promise<void> {
  let unlink = (): void => {};
  const aborted = new Promise<void>(resolve => {
    const onAbort = (): void => resolve();
    signal.addEventListener('abort', onAbort, { once: true });
    unlink = () => signal.removeEventListener('abort', onAbort);
    if (signal.aborted) resolve();
  });
  await Promise.race([work, aborted]);
  unlink();
}
