import { watchMemory } from './memory.ts';
import { benchMark } from './provided.ts';
import { atOnce, oneByOne, quantile } from './timing.ts';
import type { Bounds } from './timing.ts';
import type { AtOnce, Lacking, Timed, Way } from './way.ts';

export interface Measured extends Timed {
  readonly name: string;
  readonly isOurs: boolean;
  readonly atOnce: AtOnce;
}

interface Asked extends Bounds {
  /** For one way, one after another; the rest is left out. */
  readonly oneByOneMsMax?: number;
  /** So many at once as would take this long one after another. */
  readonly atOnceMsMax?: number;
  /** So many at once, whatever that takes. */
  readonly together?: number | undefined;
}

interface Say {
  readonly say: (what: string) => void;
}

/** What does not work here is told with the rest, and is no end of the measurement. */
export async function measureWays(ways: readonly Way[], asked: Asked & Say): Promise<{ ways: Measured[]; lacking: Lacking[] }> {
  const measured: Measured[] = [];
  const lacking: Lacking[] = [];
  for (const way of ways) {
    asked.say(way.name);
    try {
      measured.push(await measureWay(way, asked));
    } catch (error) {
      asked.signal.throwIfAborted();
      lacking.push({ name: way.name, why: error instanceof Error ? error.message : String(error) });
    }
  }
  return { ways: measured, lacking };
}

/** Where they are not told, as many are started at once as are measured one after another, or as there is time for. */
export async function measureWay(way: Way, { oneByOneMsMax = 20_000, atOnceMsMax = 60_000, ...asked }: Asked): Promise<Measured> {
  try {
    const timed = await oneByOne(way, { ...asked, msMax: oneByOneMsMax });
    const usual = quantile(timed.startMs, 0.5) + quantile(timed.endMs, 0.5);
    const count = asked.together ?? Math.max(1, Math.min(asked.count, Math.floor(atOnceMsMax / usual)));
    // Those that are warm have their memory before they are asked for.
    const watch = way.prepare === undefined ? () => watchMemory(benchMark) : undefined;
    return { name: way.name, isOurs: way.isOurs, ...timed, atOnce: await atOnce(way, { ...asked, count }, watch) };
  } finally {
    await way.release?.();
  }
}
