import type { Clock } from '../../../../kernel/clock.ts';

/** Things that are made before they are asked for, all alike. Each is handed out once. */
export interface Pool<Shape, Item> {
  /** The oldest that is well, of the quickest, and its caller's from now on; another is made in its place. */
  take(shape: Shape): Item | undefined;
  /** From now on this many of this shape and none of another. Resolves when they are there, or can't be made. Never throws. */
  want(shape: Shape, count: number): Promise<void>;
  /** All that wait. */
  items(): readonly Item[];
}

interface Waiting<Shape, Item> {
  readonly shape: Shape;
  readonly item: Item;
}

interface Options<Shape, Item> {
  readonly make: (shape: Shape) => Promise<Item>;
  /** Never throws. */
  readonly remove: (item: Item) => Promise<void>;
  /** Whether one of the one shape can be had for the other. */
  readonly isSame: (one: Shape, other: Shape) => boolean;
  /** How quick one of the one shape is, had for the other; 0 is the quickest. */
  readonly rank: (one: Shape, other: Shape) => number;
  /** Whether it can be used still: what has ended while it waited is replaced. */
  readonly isWell: (item: Item) => boolean;
  /** Whether the machine has room for one more. */
  readonly hasRoom: () => boolean;
  readonly countMax: number;
  readonly clock: Clock;
}

/** What was taken is to begin its work first. */
const refillAfterMs = 100;

/** They are made one after the other, with a rest after each that is as long as it took: at most half of one processor. */
export function createPool<Shape, Item>(options: Options<Shape, Item>): Pool<Shape, Item> {
  const { make, remove, isSame, isWell, hasRoom, countMax, clock } = options;
  let wanted: { readonly shape: Shape; readonly count: number } | undefined;
  let ready: Waiting<Shape, Item>[] = [];
  let last: Promise<void> = Promise.resolve();
  let isDue = false;

  /** What is too many, of another shape or ended goes; what lacks is made. */
  async function fill(): Promise<void> {
    let sortedFor = wanted;
    await sort();
    while (ready.length < (wanted?.count ?? 0) && hasRoom()) {
      const begunMs = clock.mono();
      if (!(await add())) return;
      await clock.sleep(clock.mono() - begunMs);
      if (wanted === sortedFor) continue;
      sortedFor = wanted;
      await sort();
    }
  }

  async function add(): Promise<boolean> {
    if (wanted === undefined) return false;
    const { shape } = wanted;
    try {
      const item = await make(shape);
      // Not before it is made: what is ready then is another list than what was ready when it was begun.
      ready.push({ shape, item });
      return true;
    } catch {
      // Whoever asks for one hears why none can be made.
      return false;
    }
  }

  async function sort(): Promise<void> {
    const isWanted = ({ shape, item }: Waiting<Shape, Item>): boolean =>
      wanted !== undefined && isSame(shape, wanted.shape) && isWell(item);
    const stay = ready.filter(isWanted).slice(0, wanted?.count ?? 0);
    const go = ready.filter(each => !stay.includes(each));
    ready = stay;
    for (const { item } of go) await remove(item);
  }

  function filled(): Promise<void> {
    last = last.then(fill);
    return last;
  }

  async function refill(): Promise<void> {
    if (isDue) return;
    isDue = true;
    await clock.sleep(refillAfterMs);
    isDue = false;
    await filled();
  }

  return {
    take(shape) {
      const found = bestOf(ready, shape, options);
      if (found !== undefined) ready.splice(ready.indexOf(found), 1);
      if (wanted !== undefined && isSame(wanted.shape, shape)) void refill();
      return found?.item;
    },
    want(shape, count) {
      wanted = { shape, count: Math.max(0, Math.min(Math.floor(count) || 0, countMax)) };
      return filled();
    },
    items: () => ready.map(({ item }) => item),
  };
}

/** Looks no further than the first of the quickest: where a hundred wait and are taken in one moment, each would look at all. */
function bestOf<Shape, Item>(
  ready: readonly Waiting<Shape, Item>[],
  shape: Shape,
  { isSame, rank, isWell }: Pick<Options<Shape, Item>, 'isSame' | 'rank' | 'isWell'>,
): Waiting<Shape, Item> | undefined {
  let best: Waiting<Shape, Item> | undefined;
  let bestRank = Number.POSITIVE_INFINITY;
  for (const each of ready) {
    if (!isSame(each.shape, shape)) continue;
    const ranked = rank(each.shape, shape);
    if (ranked >= bestRank || !isWell(each.item)) continue;
    [best, bestRank] = [each, ranked];
    if (ranked === 0) break;
  }
  return best;
}
