import type { UserIds } from './user-ids.ts';

/** More at once few workers have. Whoever cleans up after one that was killed has to look at each. */
const keptMax = 128;

/**
 * Keeps ids that are given back for the next sandboxes of this process: to free one and to take it again is some writes to a disk, which
 * may be at work. Who gives one back has removed all that ran or lay there as it. At the end of the process they are free; those of one that
 * was killed are the next worker's to free, as all that it had.
 */
export function createStock(ids: UserIds): UserIds {
  const given = new Set<number>();
  const kept: number[] = [];
  let isWatched = false;
  let isOver = false;

  function freeAll(): void {
    isOver = true;
    for (const uid of kept.splice(0)) ids.release(uid);
  }

  return {
    ...ids,
    take() {
      const uid = kept.shift() ?? ids.take();
      given.add(uid);
      return uid;
    },
    release(uid) {
      if (kept.includes(uid)) return;
      // One that was taken over from a dead worker is no more this one's.
      if (!given.delete(uid) || isOver || kept.length === keptMax) return ids.release(uid);
      if (!isWatched) process.once('exit', freeAll);
      isWatched = true;
      kept.push(uid);
    },
  };
}
