import type { Log } from '../../kernel/log.ts';
import type { SandboxLimits, SandboxProvider } from '../sandbox.ts';

/** Sandboxes that wait for the runs that may come. */
export interface Warmth {
  /** So many runs may begin now; with the limits of the last one, where there was one. Told again it is as told last. */
  free(slots: number, limits?: SandboxLimits): void;
  /** None waits any more. */
  end(): Promise<void>;
}

interface Options {
  readonly sandboxes: Pick<SandboxProvider, 'prewarm'>;
  /** How many may wait at most; 0 or nothing: none. */
  readonly warm?: number | undefined;
  readonly log: Log;
}

export function createWarmth({ sandboxes, warm = 0, log }: Options): Warmth {
  let known: SandboxLimits | undefined;
  let last: Promise<void> = Promise.resolve();

  function want(count: number): void {
    if (known === undefined || warm === 0) return;
    last = sandboxes.prewarm(known, count).catch((error: unknown) => {
      log.warn({ error: String(error) }, 'no sandbox can be made before it is asked for');
    });
  }

  return {
    free(slots, limits = known) {
      known = limits;
      want(Math.max(0, Math.min(slots, warm)));
    },
    async end() {
      want(0);
      await last;
    },
  };
}
