import type { Clock } from '../../../kernel/clock.ts';

/** A place in the line of those who wait for work of a tenant. */
export interface Seat {
  /** Resolves when woken since the last look, when the time is over, or when aborted; says whether woken. */
  wait(ms: number, signal: AbortSignal): Promise<boolean>;
  /** Hands a wake on that was of no use here, to the next in the line and at the last to nobody: there may be work that only they can do. */
  pass(): void;
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

interface Place {
  woken: boolean;
  ring: () => void;
}

/**
 * The line of each tenant, first come first served. A seat is taken before the queue is looked at, so what is queued between the
 * look and the wait is not missed.
 */
export function createSeats(clock: Clock): Seats {
  const lines = new Map<string, Set<Place>>();

  function wakeOne(tenantId: string): void {
    wakeFirst(lines.get(tenantId) ?? []);
  }

  function wakeFirst(places: Iterable<Place>): void {
    for (const place of places) {
      if (place.woken) continue;
      place.woken = true;
      place.ring();
      return;
    }
  }

  function take(tenantId: string): Seat {
    const line = lines.get(tenantId) ?? new Set<Place>();
    lines.set(tenantId, line);
    const place: Place = { woken: false, ring: () => {} };
    line.add(place);
    return {
      look() {
        place.woken = false;
      },
      async wait(ms, signal) {
        if (place.woken) return true;
        const rung = new AbortController();
        place.ring = () => rung.abort();
        await clock.sleep(ms, AbortSignal.any([rung.signal, signal]));
        place.ring = () => {};
        return place.woken;
      },
      pass() {
        const places = [...line];
        wakeFirst(places.slice(places.indexOf(place) + 1));
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
