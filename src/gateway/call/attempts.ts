import type { Failure } from '../model/failure.ts';
import { failure } from '../model/failure.ts';
import { type Target, targetName } from '../model/catalog.ts';
import { holdOf } from '../model/rate-limits.ts';
import { type Next, nextAfter } from '../model/retry.ts';
import type { Tried } from './breakers.ts';
import { openAnswer, type Opened } from './open.ts';
import { bodyFor, type Plan } from './plan.ts';
import type { Tally } from './tally.ts';
import { type CallParts, cutOf, type Headers } from './types.ts';

export interface Search {
  readonly plan: Plan;
  readonly tally: Tally;
  /** What was granted for each answer; null where nothing is counted. */
  readonly outputTokens: number | null;
  readonly signal: AbortSignal;
}

export type Found =
  | { readonly ok: true; readonly opened: Opened; readonly target: Target }
  /** The last failure at each target that was tried; the last of them is the client's. */
  | { readonly ok: false; readonly failures: readonly TargetFailure[] };

export interface TargetFailure {
  readonly target: Target;
  readonly failure: Failure;
}

/** Asks the targets in their order, each as often as its failures allow, until one begins to answer. Throws only the call's own Cut. */
export async function findAnswer(parts: CallParts, search: Search): Promise<Found> {
  const { targets } = search.plan;
  const failures: TargetFailure[] = [];
  for (const [index, target] of targets.entries()) {
    const tried = await askTarget(parts, search, { target, hasNextTarget: index < targets.length - 1 });
    if (tried.ok) return { ok: true, opened: tried.value, target };
    failures.push({ target, failure: tried.failure });
    if (tried.next.kind !== 'fail_over') break;
    parts.log.info({ target: targetName(target), class: tried.failure.class }, 'a call of a model fails over');
  }
  return { ok: false, failures };
}

type Asking =
  | { readonly ok: true; readonly value: Opened }
  | { readonly ok: false; readonly failure: Failure; readonly next: Next };

interface Turn {
  readonly target: Target;
  readonly hasNextTarget: boolean;
}

async function askTarget(parts: CallParts, search: Search, { target, hasNextTarget }: Turn): Promise<Asking> {
  const body = bodyFor(search.plan, target, search.outputTokens);
  let attempts = 0;
  let breakerWaitedMs = 0;
  for (;;) {
    const held = await waitForHold(parts, search.signal, { target, hasNextTarget });
    if (held !== undefined)
      return { ok: false, failure: held, next: hasNextTarget ? { kind: 'fail_over' } : { kind: 'give_up' } };
    const tried = await attempt(parts, search, { target, body });
    if (tried.ok) return tried;
    const isBreaker = tried.failure.class === 'breaker_open';
    if (!isBreaker) attempts++;
    const next = nextAfter(tried.failure, { attempts, hasNextTarget, breakerWaitedMs, dice: parts.random() }, parts.retry);
    if (next.kind !== 'retry') return { ok: false, failure: tried.failure, next };
    if (isBreaker) breakerWaitedMs += next.waitMs;
    await rest(parts, next.waitMs, search.signal);
  }
}

async function attempt(
  parts: CallParts,
  search: Search,
  { target, body }: { target: Target; body: string },
): Promise<Tried<Opened>> {
  const { plan, tally, signal } = search;
  const { asked } = plan;
  const upstream = parts.upstreams.get(target.provider);
  if (upstream === undefined) throw new Error(`no upstream ${target.provider}`);
  const key = { tenantId: asked.run.tenantId, ...target };
  // Who is gone already has nothing sent, and says nothing of the provider.
  if (signal.aborted) throw cutOf(signal);
  return parts.breakers.attempt(key, async () => {
    tally.sent(target);
    const { wire, operation, isStream, headers, run } = asked;
    const leaving = new AbortController();
    const tried = await openAnswer({
      upstream,
      call: {
        wire,
        operation,
        model: target.model,
        isStream,
        body,
        headers,
        run,
        signal: AbortSignal.any([signal, leaving.signal]),
      },
      reader: plan.format.createReader(asked.body),
      tally,
      leave: () => leaving.abort(),
      nowMs: parts.clock.now(),
      onHead: head => noteLimits(parts, target, head.headers),
    });
    if (!tried.ok && tried.failure.class === 'rate_limit') hold(parts, target, tried.failure.retryAfterMs ?? 0);
    return tried;
  });
}

/** A provider that says that its limit is used up is not asked before it is given again: asking would only be refused. */
function noteLimits(parts: CallParts, target: Target, headers: Headers): void {
  hold(parts, target, holdOf(headers, parts.clock.now()));
}

/** What a provider says of more than an hour is not believed for longer. */
const holdMsMax = 3_600_000;

function hold(parts: CallParts, target: Target, ms: number): void {
  const name = targetName(target);
  const now = parts.clock.mono();
  const wanted = Math.min(ms, holdMsMax);
  if (wanted > parts.holds.left(name, now)) parts.holds.set(name, now + wanted);
}

/** Waits where the wait is short and there is nobody else to ask; else says why the target is not asked. */
async function waitForHold(parts: CallParts, signal: AbortSignal, { target, hasNextTarget }: Turn): Promise<Failure | undefined> {
  const leftMs = parts.holds.left(targetName(target), parts.clock.mono());
  if (leftMs <= 0) return undefined;
  if (hasNextTarget || leftMs > parts.retry.retryAfterMsMax) {
    return failure('rate_limit', `its limit is used up for ${Math.ceil(leftMs / 1_000)} s`, { retryAfterMs: leftMs });
  }
  await rest(parts, leftMs + Math.ceil(parts.random() * parts.retry.backoffMs), signal);
  return undefined;
}

async function rest({ clock }: CallParts, ms: number, signal: AbortSignal): Promise<void> {
  await clock.sleep(ms, signal);
  if (signal.aborted) throw cutOf(signal);
}
