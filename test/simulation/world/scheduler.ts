import type { Clock } from '../../../src/kernel/clock.ts';

/** Wall clock of the simulated world when it begins. */
export const beginning = Date.UTC(2030, 0, 1);

/** The one queue of all that happens in a simulated world, and its time. Nothing in the world knows another clock. */
export interface Scheduler {
  /** Milliseconds since the epoch, as the database's own clock says. */
  now(): number;
  /** Has `happen` done at a time (milliseconds since the epoch); at once where that is past. Of the same time in the order of calls. */
  at(time: number, happen: () => void): void;
  after(ms: number, happen: () => void): void;
  /** Resolves after `ms`, or at once when `signal` is aborted. Never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  readonly clock: Clock;
  /** How many events have happened. */
  readonly count: number;
  /**
   * Lets everything happen that is due until `time`: one event, then all that follows from it without time passing, then the next.
   * Ends sooner when `stop` was called; then what is due stays due. `eventsMax` more events than that is a world that never rests.
   */
  run(time: number, eventsMax?: number): Promise<void>;
  stop(): void;
}

interface Entry {
  readonly time: number;
  readonly number: number;
  readonly happen: () => void;
}

export function createScheduler(): Scheduler {
  const heap: Entry[] = [];
  let now = beginning;
  let number = 0;
  let count = 0;
  let isStopped = false;

  // Whole milliseconds, never sooner than asked.
  const at: Scheduler['at'] = (time, happen) => push(heap, { time: Math.max(Math.ceil(time), now), number: number++, happen });

  function sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.resolve();
    return new Promise(resolve => {
      let isOver = false;
      const end = (): void => {
        if (isOver) return;
        isOver = true;
        signal?.removeEventListener('abort', end);
        resolve();
      };
      signal?.addEventListener('abort', end);
      at(now + ms, end);
    });
  }

  function run(time: number, eventsMax = Infinity): Promise<void> {
    const countMax = count + eventsMax;
    isStopped = false;
    return new Promise((resolve, reject) => {
      const next = (): void => {
        const due = heap[0];
        if (isStopped || due === undefined || due.time > time) {
          if (!isStopped) now = Math.max(now, time);
          resolve();
          return;
        }
        if (count >= countMax) {
          reject(new Error(`more than ${eventsMax} events: the world does not come to rest`));
          return;
        }
        pop(heap);
        now = due.time;
        count += 1;
        // A tick from within a microtask comes when no microtask is left: all that follows has happened by then.
        queueMicrotask(() => process.nextTick(next));
        try {
          due.happen();
        } catch (error) {
          isStopped = true;
          reject(error instanceof Error ? error : new Error(String(error)));
        }
      };
      // As above: called from no microtask, a tick would come before those that are waiting.
      queueMicrotask(() => process.nextTick(next));
    });
  }

  return {
    now: () => now,
    at,
    after: (ms, happen) => at(now + ms, happen),
    sleep,
    clock: { now: () => now, mono: () => now, sleep },
    get count() {
      return count;
    },
    run,
    stop() {
      isStopped = true;
    },
  };
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.time < b.time || (a.time === b.time && a.number < b.number);
}

function push(heap: Entry[], entry: Entry): void {
  let place = heap.length;
  heap.push(entry);
  while (place > 0) {
    const above = (place - 1) >> 1;
    const parent = heap[above];
    if (parent === undefined || !isBefore(entry, parent)) break;
    heap[place] = parent;
    place = above;
  }
  heap[place] = entry;
}

function pop(heap: Entry[]): void {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return;
  let place = 0;
  for (;;) {
    let below = 2 * place + 1;
    let child = heap[below];
    const right = heap[below + 1];
    if (child !== undefined && right !== undefined && isBefore(right, child)) {
      below += 1;
      child = right;
    }
    if (child === undefined || !isBefore(child, last)) break;
    heap[place] = child;
    place = below;
  }
  heap[place] = last;
}
