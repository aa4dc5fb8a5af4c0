export interface BreakerState {
  readonly state: 'closed' | 'open' | 'half_open';
  /** When the next call is let through, in milliseconds since the epoch. */
  readonly openUntil: number | null;
}

/** As the gateway's breakers have it: after so long one call is let through, to see whether it goes again. */
export const openMs = 30_000;

/** What a stored breaker says at `now`. One that is open is closed by a call alone: when its time is over, the next one tries. */
export function breakerState(stored: unknown, now: number): BreakerState {
  const { value, openedAt } = own(stored);
  if (value !== openValue) return { state: 'closed', openUntil: null };
  const openUntil = (typeof openedAt === 'number' ? openedAt : 0) + openMs;
  return openUntil > now ? { state: 'open', openUntil } : { state: 'half_open', openUntil: null };
}

const openValue = 1;

function own(stored: unknown): { readonly value?: unknown; readonly openedAt?: unknown } {
  const { ownState } = isObject(stored) ? (stored as { ownState?: unknown }) : {};
  return isObject(ownState) ? ownState : {};
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
