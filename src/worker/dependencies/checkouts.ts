import { createDependencies } from './index.ts';
import type { Options, Taken, Wish } from './index.ts';

/** Check-outs of commits with which several runs begin. */
export interface CheckOuts {
  /**
   * The check-out of this name, to be given back; undefined where nobody has asked for it before: most commits are checked out once.
   * Throws as `Dependencies.take` does.
   */
  take(name: string, wish: Pick<Wish, 'make' | 'signal'>): Promise<Taken | undefined>;
  /** As `Dependencies.close`. */
  close(): Promise<void>;
}

const checkOutsMax = 10;
const checkOutBytesMax = 5 * 2 ** 30;
/** Names that were asked for. */
const askedMax = 1_000;

export function createCheckOuts(options: Pick<Options, 'clock' | 'log'>): CheckOuts {
  const kept = createDependencies({ ...options, timeoutMs: 0, layersMax: checkOutsMax, layerBytesMax: checkOutBytesMax });
  const asked = new Set<string>();

  return {
    async take(name, wish) {
      if (asked.has(name)) return kept.take(name, { ...wish, beganAt: '', insists: () => true, onWait: () => {} });
      for (const oldest of [...asked].slice(0, Math.max(0, asked.size + 1 - askedMax))) asked.delete(oldest);
      asked.add(name);
      return undefined;
    },
    close: kept.close,
  };
}
