import type { Clock } from '../../kernel/clock.ts';

/** A setup that did not end well. */
export interface Failed {
  readonly error: Error;
  /** When the run that tried it was claimed, by the server's clock. */
  readonly beganAt: string;
}

/**
 * What would take as long once more and end the same: the other runs that wait for it hear of it at once. Shorter than the wait before
 * the next attempt of the same run, which tries it again.
 */
const rememberMs = 20_000;
const failuresMax = 200;

interface Failures {
  note(key: string, failed: Failed): void;
  /** Undefined where it is long ago. */
  of(key: string): Failed | undefined;
  forget(key: string): void;
}

export function createFailures(clock: Clock): Failures {
  const noted = new Map<string, Failed & { readonly atMs: number }>();

  return {
    note(key, failed) {
      noted.delete(key);
      noted.set(key, { ...failed, atMs: clock.mono() });
      for (const oldest of [...noted.keys()].slice(0, Math.max(0, noted.size - failuresMax))) noted.delete(oldest);
    },
    of(key) {
      const failed = noted.get(key);
      if (failed === undefined || clock.mono() - failed.atMs < rememberMs) return failed;
      noted.delete(key);
      return undefined;
    },
    forget: key => void noted.delete(key),
  };
}
