import type { Clock } from '../../kernel/clock.ts';
import type { Log } from '../../kernel/log.ts';
import type { KeptSnapshot, Snapshot } from '../sandbox.ts';
import { shelvedOf, textOf } from './kept.ts';
import type { Layer, Taken } from './layer.ts';

/** Layers by key, those that were used last; what goes is removed when nobody holds it any more. */
export interface Shelf {
  take(key: string): Taken | undefined;
  /** For what is not as it was kept: removes it when it is given back. */
  drop(key: string, taken: Taken): void;
  /** Keeps it, and makes room for it; whoever puts it there holds it. */
  put(key: string, layer: Layer): Taken;
  /** Resolves when all that nobody holds is removed, or left for the next worker. */
  close(): Promise<void>;
}

interface Options {
  readonly layersMax: number;
  /** Of all layers together. */
  readonly layerBytesMax: number;
  /** What earlier workers have kept, what was used last at the end; without it nothing outlives this one. */
  readonly found?: readonly KeptSnapshot[] | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

interface Entry {
  readonly layer: Layer;
  holders: number;
  /** How it goes when nobody holds it any more; undefined while it is on the shelf. */
  end: 'remove' | 'leave' | undefined;
}

export function createShelf({ layersMax, layerBytesMax, found, clock, log }: Options): Shelf {
  /** The one that was used last stands last. */
  const entries = new Map<string, Entry>();
  const ends = createEnds(log);
  let isClosed = false;

  /** What was there for this key before goes: of two that are alike one is enough. */
  function place(key: string, layer: Layer): Entry {
    const before = entries.get(key);
    if (before !== undefined) takeOut(key, before, 'remove');
    const entry: Entry = { layer, holders: 0, end: undefined };
    entries.set(key, entry);
    return entry;
  }

  function makeRoom(): void {
    for (const [key, entry] of entries) {
      const bytes = [...entries.values()].reduce((sum, each) => sum + each.layer.bytes, 0);
      if (entries.size <= layersMax && bytes <= layerBytesMax) return;
      takeOut(key, entry, 'remove');
    }
  }

  function takeOut(key: string, entry: Entry, end: 'remove' | 'leave'): void {
    entries.delete(key);
    entry.end = end;
    ends.whenFree(entry);
  }

  for (const kept of found ?? []) {
    const shelved = shelvedOf(kept, clock.now());
    if (shelved === undefined) ends.during(kept.snapshot, kept.snapshot.remove());
    else place(shelved.key, shelved.layer);
  }
  makeRoom();

  return {
    take(key) {
      const entry = entries.get(key);
      if (entry === undefined) return undefined;
      entries.delete(key);
      entries.set(key, entry);
      return hold(entry, ends);
    },
    drop(key, { snapshot }) {
      const entry = entries.get(key);
      // Of several who had it, the first has dropped it.
      if (entry?.layer.snapshot === snapshot) takeOut(key, entry, 'remove');
    },
    put(key, layer) {
      if (isClosed) return hold({ layer, holders: 0, end: 'remove' }, ends);
      const taken = hold(place(key, layer), ends);
      makeRoom();
      const { snapshot } = layer;
      // Nobody waits for it.
      if (found !== undefined && snapshot.keep !== undefined)
        ends.during(snapshot, snapshot.keep(textOf({ key, layer, madeAtMs: clock.now() })));
      return taken;
    },
    async close() {
      isClosed = true;
      // One after the other, so that the next worker sees in which order they were used.
      for (const [key, entry] of entries) {
        takeOut(key, entry, found === undefined ? 'remove' : 'leave');
        await ends.over();
      }
      await ends.over();
    },
  };
}

function hold(entry: Entry, ends: Ends): Taken {
  let isHeld = true;
  entry.holders += 1;
  return {
    ...entry.layer,
    release() {
      if (!isHeld) return;
      isHeld = false;
      entry.holders -= 1;
      ends.whenFree(entry);
    },
  };
}

interface Ends {
  /** Removes or leaves what is to go, where nobody holds it. */
  whenFree(entry: Entry): void;
  /** For what is done to a snapshot while nobody waits for it. */
  during(snapshot: Snapshot, work: Promise<void>): void;
  /** Resolves when all of it is done. */
  over(): Promise<void>;
}

function createEnds(log: Log): Ends {
  const underWay = new Set<Promise<void>>();

  function during({ id }: Snapshot, work: Promise<void>): void {
    const done = work
      .catch((error: unknown) => {
        log.warn({ snapshot: id, error: String(error) }, 'dependencies could not be kept for the next worker, or not be removed');
      })
      .finally(() => underWay.delete(done));
    underWay.add(done);
  }

  return {
    during,
    whenFree({ layer: { snapshot }, holders, end }) {
      if (end === undefined || holders > 0) return;
      during(snapshot, end === 'leave' && snapshot.leave !== undefined ? snapshot.leave() : snapshot.remove());
    },
    over: async () => void (await Promise.all(underWay)),
  };
}
