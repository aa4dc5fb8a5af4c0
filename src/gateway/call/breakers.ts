import {
  BrokenCircuitError,
  circuitBreaker,
  type CircuitBreakerPolicy,
  CircuitState,
  ConsecutiveBreaker,
  handleWhenResult,
} from 'cockatiel';
import type { Clock } from '../../kernel/clock.ts';
import type { Log } from '../../kernel/log.ts';
import { failure, type Failure } from '../model/failure.ts';
import { fieldsOf } from '../model/json.ts';
import { countsForBreaker } from '../model/retry.ts';

/** Whose calls to what: what breaks for one tenant's model is not held against another. */
export interface BreakerKey {
  readonly tenantId: string;
  readonly provider: string;
  readonly model: string;
}

/** Where the states of breakers outlive the process. */
export interface BreakerStore {
  load(): Promise<readonly StoredBreaker[]>;
  save(key: BreakerKey, change: BreakerChange): Promise<void>;
}

export interface BreakerChange {
  /** For the library. */
  readonly state: unknown;
  /** After which time one call is let through; null: all are. */
  readonly retryMs: number | null;
  /** Null while that one call is under way: nothing is known yet. */
  readonly news: 'breaker.opened' | 'breaker.closed' | null;
}

export interface StoredBreaker extends BreakerKey {
  readonly state: unknown;
}

export type Tried<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly failure: Failure };

export interface Breakers {
  /** Tries, unless too many attempts have failed in a row; then fails at once as `breaker_open`, with the time until the next try. */
  attempt<T>(key: BreakerKey, attempt: () => Promise<Tried<T>>): Promise<Tried<T>>;
}

export interface BreakerLimits {
  readonly failuresMax: number;
  /** After so long one call is let through, to see whether it goes again. */
  readonly halfOpenMs: number;
}

export const breakerLimits: BreakerLimits = { failuresMax: 5, halfOpenMs: 30_000 };

/** Models are named by those who call: the breakers of those longest unused are forgotten. */
const breakersMax = 1_000;
/** While another call looks whether it goes again. */
const probeWaitMs = 500;

interface BreakersOptions {
  readonly store: BreakerStore;
  readonly limits: BreakerLimits;
  readonly clock: Clock;
  readonly log: Log;
}

export function createBreakers({ store, limits, clock, log }: BreakersOptions): Breakers {
  const policies = new Map<string, CircuitBreakerPolicy>();
  let loading: Promise<void> | undefined;

  function load(): Promise<void> {
    return (loading ??= store.load().then(
      stored => {
        for (const { state, ...key } of stored.slice(0, breakersMax)) {
          if (fieldsOf(fieldsOf(state)?.['ownState']) !== undefined)
            policies.set(nameOf(key), create(key, notAhead(state, clock.now())));
        }
      },
      (error: unknown) => {
        // Without its history a breaker learns again; the next call tries to read it once more.
        loading = undefined;
        log.warn({ error: String(error) }, 'the breakers of the model providers could not be read');
      },
    ));
  }

  function policyOf(key: BreakerKey): CircuitBreakerPolicy {
    const name = nameOf(key);
    const policy = policies.get(name) ?? create(key, undefined);
    // Last in the map is last used.
    policies.delete(name);
    policies.set(name, policy);
    if (policies.size > breakersMax) policies.delete(policies.keys().next().value ?? '');
    return policy;
  }

  function create(key: BreakerKey, state: unknown): CircuitBreakerPolicy {
    const policy = circuitBreaker(
      handleWhenResult(result => {
        const tried = result as Tried<unknown>;
        return !tried.ok && countsForBreaker(tried.failure.class);
      }),
      {
        halfOpenAfter: limits.halfOpenMs,
        breaker: new ConsecutiveBreaker(limits.failuresMax),
        ...(state === undefined ? {} : { initialState: state }),
      },
    );
    let saved = Promise.resolve();
    policy.onStateChange(() => {
      const next = changeOf(policy, limits);
      // One after the other: the last one is to stand.
      saved = saved
        .then(() => store.save(key, next))
        .catch((error: unknown) => {
          log.warn({ ...key, error: String(error) }, 'the breaker of a model provider could not be stored');
        });
    });
    return policy;
  }

  function whenOpen(policy: CircuitBreakerPolicy): Tried<never> {
    const openedAt = openedAtOf(policy.toJSON());
    const waitMs = policy.state === CircuitState.HalfOpen ? probeWaitMs : Math.max(0, openedAt + limits.halfOpenMs - clock.now());
    const message = `it failed ${limits.failuresMax} times in a row, and is not asked for ${Math.ceil(waitMs / 1_000)} s`;
    return { ok: false, failure: failure('breaker_open', message, { retryAfterMs: waitMs }) };
  }

  return {
    async attempt(key, attempt) {
      await load();
      const policy = policyOf(key);
      // The library would let those who come meanwhile wait for the one that tries, which may take minutes.
      if (policy.state === CircuitState.HalfOpen) return whenOpen(policy);
      try {
        return await tryBy(policy, attempt);
      } catch (error) {
        if (error instanceof BrokenCircuitError) return whenOpen(policy);
        throw error;
      }
    },
  };
}

/** To the library whatever is thrown is a success; but a call that was to look, and was cut off, has not seen whether it goes again. */
async function tryBy<T>(policy: CircuitBreakerPolicy, attempt: () => Promise<Tried<T>>): Promise<Tried<T>> {
  const isProbe = policy.state === CircuitState.Open;
  const thrown: unknown[] = [];
  const tried = await policy.execute(() =>
    attempt().catch((error: unknown) => {
      if (!isProbe) throw error;
      thrown.push(error);
      return unseen;
    }),
  );
  if (thrown.length > 0) throw thrown[0];
  return tried;
}

/** It counts as the provider's. */
const unseen: Tried<never> = { ok: false, failure: failure('cut_off', 'the call was cut off') };

function changeOf(policy: CircuitBreakerPolicy, { halfOpenMs }: BreakerLimits): BreakerChange {
  const state: unknown = policy.toJSON();
  if (policy.state === CircuitState.Open) return { state, retryMs: halfOpenMs, news: 'breaker.opened' };
  if (policy.state === CircuitState.HalfOpen) return { state, retryMs: 0, news: null };
  return { state, retryMs: null, news: 'breaker.closed' };
}

function nameOf({ tenantId, provider, model }: BreakerKey): string {
  return JSON.stringify([tenantId, provider, model]);
}

/** Opened by a server whose clock was ahead of this one's, it would be open for that much longer. */
function notAhead(state: unknown, now: number): unknown {
  const { ownState, ...others } = state as { ownState: { openedAt?: number } };
  return ownState.openedAt === undefined
    ? state
    : { ...others, ownState: { ...ownState, openedAt: Math.min(ownState.openedAt, now) } };
}

function openedAtOf(state: unknown): number {
  const { ownState } = state as { ownState?: { openedAt?: number } };
  return ownState?.openedAt ?? 0;
}
