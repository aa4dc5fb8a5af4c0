import type { Witness } from '../../world/parts.ts';
import { hashSecret } from '../../../../src/kernel/secret.ts';
import { keyOf } from '../claims.ts';
import { changesOf, type Commit, type FactsOf, isHeld, type Rule, type RunFacts, type Snapshot, type Violate } from '../types.ts';

type Call = FactsOf['model_calls'];
type Budget = FactsOf['budgets'];

export interface Money extends Rule, Pick<Witness, 'identified' | 'used'> {
  /** When all is at rest: what is left unpaid. */
  end(): void;
  readonly calls: number;
}

/** A run token as it was given out. */
interface Token {
  readonly runId: string;
  leaseUntil: number;
  endedAt: number;
}

/**
 * What is reserved fits into every cap, and is given back or spent once; what a budget says that is reserved and spent is the sum of its
 * calls; what a provider was asked for is paid; and a run token is worth something while its claim lives.
 */
export function createMoney(violate: Violate): Money {
  const calls = new Map<string, Call>();
  const used = new Map<string, number>();
  const tokens = new Map<string, Token>();

  function look(commit: Commit, now: Snapshot): void {
    for (const { before, after } of changesOf(commit, 'runs')) learnToken(before, after, commit.at);
    const changed = changesOf(commit, 'model_calls');
    for (const { before, after } of changed) {
      if (after === undefined) continue;
      calls.set(after.id, after);
      if (before === undefined) fits(after, now);
      else refuseAgain(before, after);
    }
    if (changed.length === 0 && changesOf(commit, 'budgets').length === 0) return;
    for (const budget of now.all('budgets')) if (budget.scope_id !== '*') balances(budget);
  }

  function learnToken(before: RunFacts | undefined, after: RunFacts | undefined, at: number): void {
    const key = keyOf(before?.run_token_hash ?? null);
    const isOver = isHeld(before) && !(isHeld(after) && keyOf(after.run_token_hash) === key);
    const ended = isOver ? tokens.get(key) : undefined;
    if (ended !== undefined) ended.endedAt = Math.min(ended.endedAt, at);
    if (!isHeld(after)) return;
    const leaseUntil = after.lease_expires_at?.getTime() ?? 0;
    const known = tokens.get(keyOf(after.run_token_hash));
    if (known === undefined) tokens.set(keyOf(after.run_token_hash), { runId: after.id, leaseUntil, endedAt: Infinity });
    else known.leaseUntil = leaseUntil;
  }

  function fits({ id, budget_ids: ids }: Call, now: Snapshot): void {
    for (const budget of now.all('budgets')) {
      const { cap_microusd: cap, spent_microusd: spent, reserved_microusd: reserved } = budget;
      if (ids.includes(budget.id) && cap !== null && Number(spent) + Number(reserved) > Number(cap))
        violate(
          'no cap is passed',
          `call ${id} was granted, and ${spent} and ${reserved} are more than ${cap} of ${budget.scope}`,
        );
    }
  }

  function refuseAgain(before: Call, after: Call): void {
    const isCharged = before.charged_microusd !== after.charged_microusd || before.charged_tokens !== after.charged_tokens;
    const isOpen = before.state === 'reserved' || (before.state === 'lost' && after.state !== 'lost');
    if ((isCharged || before.state !== after.state) && !isOpen)
      violate('a call is settled once', `call ${after.id} was ${before.state}, and is ${after.state} after that`);
  }

  function balances(budget: Budget): void {
    const own = [...calls.values()].filter(call => isOf(call, budget));
    const sum = (of: (call: Call) => unknown): number => own.reduce((total, call) => total + Number(of(call)), 0);
    const open = own.filter(({ state }) => state === 'reserved');
    const reserved = open.reduce((total, call) => total + Number(call.reserved_microusd), 0);
    const spent = sum(call => call.charged_microusd);
    if (reserved !== Number(budget.reserved_microusd) || spent !== Number(budget.spent_microusd))
      violate(
        'the books balance',
        `of ${budget.scope} ${reserved} are reserved and ${spent} spent, and the budget says ${budget.reserved_microusd} and ${budget.spent_microusd}`,
      );
  }

  return {
    look,
    identified(secret, since) {
      const token = tokens.get(keyOf(hashSecret(secret)));
      if (token === undefined || token.endedAt < since || token.leaseUntil < since)
        violate('a run token dies with its claim', `the token of run ${token?.runId} was taken, and its lease was over before`);
    },
    used: (runId, count) => void used.set(runId, (used.get(runId) ?? 0) + count),
    end() {
      for (const [runId, count] of used) {
        const own = [...calls.values()].filter(call => call.run_id === runId);
        const charged = own.reduce((total, call) => total + Number(call.charged_tokens), 0);
        if (charged < count) violate('what was used is paid', `run ${runId} used ${count} tokens, and is charged ${charged}`);
      }
    },
    get calls() {
      return calls.size;
    },
  };
}

function isOf(call: Call, { scope, scope_id: id }: Budget): boolean {
  return (
    { tenant: true, project: call.project_id === id, ticket: call.ticket_id === id, run: call.run_id === id }[scope] ?? false
  );
}
