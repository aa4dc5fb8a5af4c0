import type { Clock } from '../../kernel/clock.ts';

/** Where calls wait for what others have reserved. */
export interface WaitingRoom {
  /**
   * Makes `attempt` again and again until it gives something. The last time, when `waitMsMax` are over, it is told so, and what it
   * gives then is the end of it. Throws what the attempt throws, and the signal's reason; an attempt that gave something is not lost
   * to a signal that came meanwhile.
   */
  wait<T>(tenantId: string, wish: Wish<T>): Promise<T | undefined>;
  /** Something was given back: those who wait for this tenant try again now. */
  wake(tenantId: string): void;
}

interface Wish<T> {
  readonly attempt: (isLast: boolean) => Promise<T | undefined>;
  readonly signal: AbortSignal;
  readonly waitMsMax: number;
}

/** What other servers give back is found by looking again: after this long at the most, and half of it at the least. */
const lookMsMax = 100;

interface Seat {
  readonly leaveAt: number;
  readonly signal: AbortSignal;
  /** True: the wish has ended, one way or the other. */
  attempt(isLast: boolean): Promise<boolean>;
  abort(): void;
}

interface Room {
  readonly seats: Set<Seat>;
  isWoken: boolean;
  ring: () => void;
}

/**
 * Who has waited longest tries first, and one after another: however many wait on this server, they make one statement at a time for
 * a tenant.
 */
export function createWaitingRoom({ clock, random }: { clock: Clock; random: () => number }): WaitingRoom {
  const rooms = new Map<string, Room>();

  async function serve(tenantId: string, room: Room): Promise<void> {
    while (room.seats.size > 0) {
      await rest(room);
      for (const seat of [...room.seats]) {
        if (seat.signal.aborted) seat.abort();
        else if (!(await seat.attempt(clock.mono() >= seat.leaveAt))) continue;
        room.seats.delete(seat);
      }
    }
    rooms.delete(tenantId);
  }

  async function rest(room: Room): Promise<void> {
    const nap = new AbortController();
    room.ring = () => nap.abort();
    if (!room.isWoken) await clock.sleep((lookMsMax / 2) * (1 + random()), nap.signal);
    room.isWoken = false;
    room.ring = () => {};
  }

  function wake(room: Room | undefined): void {
    if (room === undefined) return;
    room.isWoken = true;
    room.ring();
  }

  function enter(tenantId: string, seat: Seat): Room {
    const known = rooms.get(tenantId);
    if (known !== undefined) {
      known.seats.add(seat);
      return known;
    }
    const room: Room = { seats: new Set([seat]), isWoken: false, ring: () => {} };
    rooms.set(tenantId, room);
    void serve(tenantId, room);
    return room;
  }

  return {
    wake: tenantId => wake(rooms.get(tenantId)),
    async wait<T>(tenantId: string, { attempt, signal, waitMsMax }: Wish<T>) {
      let onAbort = () => {};
      try {
        return await new Promise<T | undefined>((resolve, reject) => {
          const seat: Seat = {
            leaveAt: clock.mono() + waitMsMax,
            signal,
            abort: () => reject(signal.reason as Error),
            attempt: async isLast => {
              try {
                const given = await attempt(isLast);
                if (given === undefined && !isLast) return false;
                resolve(given);
              } catch (error) {
                reject(error instanceof Error ? error : new Error(String(error)));
              }
              return true;
            },
          };
          const room = enter(tenantId, seat);
          onAbort = () => wake(room);
          signal.addEventListener('abort', onAbort, { once: true });
        });
      } finally {
        signal.removeEventListener('abort', onAbort);
      }
    },
  };
}
