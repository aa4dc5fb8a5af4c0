import type { Clock } from '../../../src/kernel/clock.ts';
import { beginning } from './scheduler.ts';

/** Of the process that runs: what follows from an event is all of one. */
let running: Pick<Clock, 'now'> = { now: () => beginning };

export function runs(clock: Pick<Clock, 'now'>): void {
  running = clock;
}

/** While `act` goes on, a library that reads the machine's clock by itself reads that of the simulated machine on which it runs. */
export async function withSimulatedWall<T>(act: () => Promise<T>): Promise<T> {
  const real = Object.getOwnPropertyDescriptor(Date, 'now');
  runs({ now: () => beginning });
  Object.defineProperty(Date, 'now', { ...real, value: () => running.now() });
  try {
    return await act();
  } finally {
    if (real !== undefined) Object.defineProperty(Date, 'now', real);
  }
}
