import type { Witness } from '../../world/parts.ts';
import { becomes, changesOf, type Commit, type FactsOf, type Rule, type RunFacts, type Violate } from '../types.ts';

export interface Routes extends Rule, Pick<Witness, 'refitted'> {
  /** How often a breaker was opened. */
  readonly opened: number;
}

interface Standing {
  /** Of the commit that made it so. */
  readonly at: number;
  /** When one call is to be let through; null: it is closed. */
  readonly retryAt: number | null;
}

/** The template of the first model, and of the one that stands in for it: each is named as its provider. */
const first = 'near';
const standIn = 'far';

/**
 * While the breaker of a model is open, and it is not time to look at it again, nothing is worked on by its template where another one
 * stands in: not what is queued since, nor what waited, once that was brought to the template that holds now.
 */
export function createRoutes(violate: Violate): Routes {
  const breakers = new Map<string, Standing>();
  /** When a run was put to the template that it waits with. */
  const placedAt = new Map<string, number>();
  let refit = { since: 0, done: 0 };
  let opened = 0;
  let time = 0;

  function look(commit: Commit): void {
    time = commit.at;
    for (const { after } of changesOf(commit, 'breakers')) if (after !== undefined) learn(after, commit.at);
    for (const change of changesOf(commit, 'runs')) {
      const { before, after } = change;
      if (after?.template === null || after === undefined) continue;
      if (becomes(change, 'queued') && before === undefined) refuseQueued(after, commit.at);
      if (becomes(change, 'leased')) refuseClaimed(after, commit.at);
      if (after.state === 'queued' && (before?.state !== 'queued' || before.template !== after.template))
        placedAt.set(after.id, commit.at);
    }
  }

  function learn({ provider, retry_at }: FactsOf['breakers'], at: number): void {
    const retryAt = retry_at?.getTime() ?? null;
    if (retryAt !== null && retryAt > at) opened += 1;
    breakers.set(provider, { at, retryAt });
  }

  /** From then until now its breaker has been open, and that of the other closed. */
  function isShut(since: number, at: number): boolean {
    const [own, other] = [breakers.get(first), breakers.get(standIn)];
    const isOpen = own !== undefined && own.at < since && own.retryAt !== null && own.retryAt > at;
    return isOpen && (other === undefined || (other.retryAt === null && other.at < since));
  }

  /** Decided in a transaction that began when the run was made. */
  function refuseQueued(run: RunFacts, at: number): void {
    if (isOfFirst(run) && isShut(run.created_at.getTime(), at))
      violate(
        'an open route gives out no run',
        `attempt ${run.attempt} at ${run.subject_id} is queued for ${run.template}, which is shut`,
      );
  }

  function refuseClaimed(run: RunFacts, at: number): void {
    const hadToMove = (placedAt.get(run.id) ?? Infinity) < refit.since && (run.leased_at?.getTime() ?? 0) > refit.done;
    if (isOfFirst(run) && hadToMove && isShut(refit.since, at))
      violate(
        'an open route gives out no run',
        `attempt ${run.attempt} at ${run.subject_id} goes by ${run.template}, which is shut`,
      );
  }

  return {
    look,
    refitted(since) {
      refit = { since, done: time };
    },
    get opened() {
      return opened;
    },
  };
}

function isOfFirst({ template }: RunFacts): boolean {
  return template?.startsWith(`${first}@`) === true;
}
