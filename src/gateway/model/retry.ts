import type { Failure, FailureClass } from './failure.ts';

/** What follows a failed attempt. */
export type Next =
  /** The same again, after a wait. */
  | { readonly kind: 'retry'; readonly waitMs: number }
  /** The next target of the alias. */
  | { readonly kind: 'fail_over' }
  /** The client is told. */
  | { readonly kind: 'give_up' };

export interface RetryLimits {
  /** First wait; doubles with each attempt. */
  readonly backoffMs: number;
  readonly backoffMsMax: number;
  /** A provider that asks for a longer wait is not waited for. */
  readonly retryAfterMsMax: number;
  /** How long in all a call waits for a provider that is not asked, as its breaker is open. */
  readonly breakerWaitMsMax: number;
}

export const retryLimits: RetryLimits = {
  backoffMs: 500,
  backoffMsMax: 8_000,
  retryAfterMsMax: 60_000,
  breakerWaitMsMax: 120_000,
};

interface Standing {
  /** Attempts at this target so far, at least 1. */
  readonly attempts: number;
  readonly hasNextTarget: boolean;
  /** Milliseconds that the call has already waited for the breaker. */
  readonly breakerWaitedMs: number;
  /** From 0 to 1. */
  readonly dice: number;
}

/** Attempts at one target; what is not listed is not tried again there. */
const attemptsMax: Partial<Record<FailureClass, number>> = {
  rate_limit: 4,
  overloaded: 4,
  server: 3,
  connect: 3,
  cut_off: 3,
  // Each may have taken minutes.
  timeout: 2,
  malformed: 2,
};

export function nextAfter(failure: Failure, standing: Standing, limits: RetryLimits): Next {
  const leave: Next =
    failure.class === 'bad_request' || failure.class === 'recording' || !standing.hasNextTarget
      ? { kind: 'give_up' }
      : { kind: 'fail_over' };
  if (failure.class === 'breaker_open') {
    const waitMs = Math.max(failure.retryAfterMs ?? 0, 50) + Math.ceil(standing.dice * limits.backoffMs);
    const isPatient = standing.breakerWaitedMs + waitMs <= limits.breakerWaitMsMax;
    return standing.hasNextTarget || !isPatient ? leave : { kind: 'retry', waitMs };
  }
  if (standing.attempts >= (attemptsMax[failure.class] ?? 1)) return leave;
  const { retryAfterMs } = failure;
  if (retryAfterMs === null) return { kind: 'retry', waitMs: backoff(standing, limits) };
  if (retryAfterMs > limits.retryAfterMsMax) return leave;
  // Never sooner than asked, and not all at once.
  return { kind: 'retry', waitMs: retryAfterMs + Math.ceil(standing.dice * limits.backoffMs) };
}

/** Between a half and the whole of a wait that doubles: those who failed together do not come back together. */
function backoff({ attempts, dice }: Standing, { backoffMs, backoffMsMax }: RetryLimits): number {
  return Math.ceil(Math.min(backoffMsMax, backoffMs * 2 ** (attempts - 1)) * (0.5 + dice / 2));
}

/** Failures that speak of the provider and not of the request or the account: a row of them opens its breaker. */
export function countsForBreaker(kind: FailureClass): boolean {
  return breaking.has(kind);
}

const breaking: ReadonlySet<FailureClass> = new Set(['overloaded', 'server', 'timeout', 'connect', 'cut_off', 'malformed']);
