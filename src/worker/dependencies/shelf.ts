import type { Log } from '../../kernel/log.ts';
import type { Layer, Taken } from './layer.ts';

/** Layers by key, those that were used last; what goes is removed when nobody holds it any more. */
export interface Shelf {
  take(key: string): Taken | undefined;
  /** Keeps it, and makes room for it; whoever puts it there holds it. */
  put(key: string, layer: Layer): Taken;
  /** Resolves when all that nobody holds is removed. */
  close(): Promise<void>;
}

interface Options {
  readonly layersMax: number;
  /** Of all layers together. */
  readonly layerBytesMax: number;
  readonly log: Log;
}

interface Entry {
  readonly layer: Layer;
  holders: number;
  isOut: boolean;
}

export function createShelf({ layersMax, layerBytesMax, log }: Options): Shelf {
  /** The one that was used last stands last. */
  const entries = new Map<string, Entry>();
  const removing = new Set<Promise<void>>();
  let isClosed = false;

  function hold(entry: Entry): Taken {
    let isHeld = true;
    entry.holders += 1;
    return {
      ...entry.layer,
      release() {
        if (!isHeld) return;
        isHeld = false;
        entry.holders -= 1;
        removeWhenFree(entry);
      },
    };
  }

  function makeRoom(): void {
    for (const [key, entry] of entries) {
      const bytes = [...entries.values()].reduce((sum, each) => sum + each.layer.bytes, 0);
      if (entries.size <= layersMax && bytes <= layerBytesMax) return;
      takeOut(key, entry);
    }
  }

  function takeOut(key: string, entry: Entry): void {
    entries.delete(key);
    entry.isOut = true;
    removeWhenFree(entry);
  }

  function removeWhenFree({ layer, holders, isOut }: Entry): void {
    if (!isOut || holders > 0) return;
    const removal = layer.snapshot.remove().catch((error: unknown) => {
      log.warn({ snapshot: layer.snapshot.id, error: String(error) }, 'dependencies that were kept could not be removed');
    });
    removing.add(removal);
    void removal.then(() => removing.delete(removal));
  }

  return {
    take(key) {
      const entry = entries.get(key);
      if (entry === undefined) return undefined;
      entries.delete(key);
      entries.set(key, entry);
      return hold(entry);
    },
    put(key, layer) {
      const entry: Entry = { layer, holders: 0, isOut: isClosed };
      const taken = hold(entry);
      if (isClosed) return taken;
      entries.set(key, entry);
      makeRoom();
      return taken;
    },
    async close() {
      isClosed = true;
      for (const [key, entry] of entries) takeOut(key, entry);
      await Promise.all(removing);
    },
  };
}
