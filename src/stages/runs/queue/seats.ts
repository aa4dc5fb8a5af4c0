import type { Clock } from '../../../kernel/clock.ts';

/** A place in the line of those who wait for work of a tenant. */
export interface Seat {
  /** Resolves when woken since the last look, when the time is over, or when aborted. */
  wait(ms: number, signal: AbortSignal): Promise<void>;
  /** What comes from now on counts as a new wake. */
  look(): void;
  /** Gives the place up; a wake that came and was not used goes to the next. */
  leave(): void;
}

export interface Seats {
  take(tenantId: string): Seat;
  /** Wakes the first who was not woken yet; nobody where all were, or none waits. */
  wakeOne(tenantId: string): void;
  /** Tenants for whom somebody waits. */
  tenants(): Iterable<string>;
}

/**
 * The line of each tenant, first come first served. A seat is taken before the queue is looked at, so what is queued between the
 * look and the wait is not missed.
 */
export function createSeats(clock: Clock): Seats {
  const lines = new Map<string, Set<{ woken: boolean; ring: () => void }>>();

  function wakeOne(tenantId: string): void {
    for (const place of lines.get(tenantId) ?? []) {
      if (place.woken) continue;
      place.woken = true;
      place.ring();
      return;
    }
  }

  function take(tenantId: string): Seat {
    const line = lines.get(tenantId) ?? new Set();
    lines.set(tenantId, line);
    const place = { woken: false, ring: () => {} };
    line.add(place);
    return {
      look() {
        place.woken = false;
      },
      async wait(ms, signal) {
        if (place.woken) return;
        const rung = new AbortController();
        place.ring = () => rung.abort();
        await clock.sleep(ms, AbortSignal.any([rung.signal, signal]));
        place.ring = () => {};
      },
      leave() {
        line.delete(place);
        if (line.size === 0 && lines.get(tenantId) === line) lines.delete(tenantId);
        if (place.woken) wakeOne(tenantId);
      },
    };
  }

  return { take, wakeOne, tenants: () => [...lines.keys()] };
}
