import type { Clock } from '../kernel/clock.ts';

export interface Heart {
  /** Beats at once, or right after the beat that is under way. */
  hurry(): void;
  /** Resolves when no beat is under way. */
  stop(): Promise<void>;
}

interface HeartOptions {
  readonly clock: Clock;
  /** One beat; returns the milliseconds until the next, or undefined where there is none. Must not throw. */
  readonly beat: () => Promise<number | undefined>;
}

export function startHeart({ clock, beat }: HeartOptions): Heart {
  let isStopped = false;
  let isUrgent = false;
  let wakeUp = (): void => {};

  async function live(): Promise<void> {
    while (!isStopped) {
      isUrgent = false;
      const restMs = await beat();
      if (restMs === undefined) return;
      if (restMs > 0 && !isUrgent && !isStopped) await rest(restMs);
    }
  }

  async function rest(ms: number): Promise<void> {
    const nap = new AbortController();
    wakeUp = () => nap.abort();
    await clock.sleep(ms, nap.signal);
    wakeUp = () => {};
  }

  const life = live();
  return {
    hurry() {
      isUrgent = true;
      wakeUp();
    },
    async stop() {
      isStopped = true;
      wakeUp();
      await life;
    },
  };
}
