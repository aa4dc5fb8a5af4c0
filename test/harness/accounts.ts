import type { Ledger, Reservation, Settlement } from '../../src/gateway/ledger.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { createLedger, setBudget, type Spent } from '../../src/support/budgets/index.ts';
import { type RunContext, runOfToken } from '../../src/stages/runs/index.ts';
import { type Stages, stagesForTests } from './stages.ts';

/** A ledger on a real database, with a run to spend for. */
export interface Accounts extends Stages {
  /** By the gateway's own type: what it asks for is what the slice gives. */
  readonly ledger: Ledger;
  readonly run: RunContext;
  /** What people were asked, one question a budget. */
  readonly asked: Spent[];
  /** Another server's ledger on the same database. */
  openLedger(waitMsMax?: number): Ledger;
  /** Another run, of a ticket of its own. */
  anotherRun(): Promise<RunContext>;
  /** A call of this run, or of another one. */
  wanted(more?: Partial<Reservation>): Reservation;
  reserve(more?: Partial<Reservation>): ReturnType<Ledger['reserve']>;
  /** Reserves what must be granted; the id of the call. */
  granted(more?: Partial<Reservation>): Promise<string>;
  settle: Settle;
  /** The same at another server. */
  settlerOf(ledger: Ledger): Settle;
  cap(scope: Budget['scope'], scopeId: string, caps: { usd?: number; tokens?: number }): Promise<Budget>;
  budgets(): Promise<Budget[]>;
  calls(): Promise<Call[]>;
  /** Types of the events of budgets, as they were told. */
  told(): Promise<string[]>;
}

type Settle = (callId: string, settlement?: Partial<Settlement>) => Promise<void>;

export interface Budget {
  readonly id: string;
  readonly scope: 'tenant' | 'project' | 'spec' | 'ticket' | 'agent' | 'run';
  readonly scopeId: string;
  readonly spent: number;
  readonly reserved: number;
  readonly spentTokens: number;
  readonly reservedTokens: number;
  readonly level: string;
}

export interface Call {
  readonly id: string;
  readonly state: string;
  readonly reserved: number;
  readonly charged: number;
  readonly chargedTokens: number;
  readonly cost: number | null;
  readonly budgets: number;
}

/** One dollar a million tokens, so that a token is a micro-USD. */
export const dollarAMillion = { input: 1_000_000, output: 1_000_000, cached: 100_000, cacheWrite: 1_000_000, asOf: '2026-01-02' };

export async function accountsForTests(waitMsMax = 300): Promise<Accounts> {
  const stages = await stagesForTests();
  const asked: Spent[] = [];
  const openLedger = (waits = waitMsMax): Ledger =>
    createLedger({
      database: stages.database,
      clock: systemClock,
      log: silentLog,
      random: () => 0.5,
      waitMsMax: waits,
      async onSpent(_tx, spent) {
        if (!asked.some(({ budget }) => budget.id === spent.budget.id)) asked.push(spent);
        return questionOf(spent.budget.id);
      },
    });
  const ledger = openLedger();
  const anotherRun = () => claimedRun(stages);
  const run = await anotherRun();
  const wanted: Accounts['wanted'] = more => ({ ...plain(run), ...more });
  const reserve: Accounts['reserve'] = more => ledger.reserve(wanted(more), new AbortController().signal);
  const settlerOf: Accounts['settlerOf'] = at => (callId, settlement) =>
    at.settle(callId, { ...ended(stages.tenantId), ...settlement });
  return {
    ...stages,
    ledger,
    run,
    asked,
    openLedger,
    anotherRun,
    wanted,
    reserve,
    async granted(more) {
      const reserved = await reserve(more);
      if (reserved.kind !== 'granted') throw new Error(`not granted: ${reserved.kind} ${reserved.message}`);
      return reserved.callId;
    },
    settle: settlerOf(ledger),
    settlerOf,
    async cap(scope, scopeId, { usd, tokens }) {
      const capMicroUsd = usd === undefined ? null : Math.round(usd * 1_000_000);
      const { id } = await stages.app(tx => setBudget(tx, { scope, scopeId, capMicroUsd, capTokens: tokens ?? null }));
      const found = (await budgetsOf(stages)).find(budget => budget.id === id);
      if (found === undefined) throw new Error('the budget was not stored');
      return found;
    },
    budgets: () => budgetsOf(stages),
    calls: () => stages.sql<Call>(callsSql),
    async told() {
      const rows = await stages.sql<{ type: string }>(`select type from events where type like 'budget.%' order by id`);
      return rows.map(({ type }) => type);
    },
  };
}

export function questionOf(budgetId: string): string {
  return `question of ${budgetId}`;
}

/** 100 tokens in and 300 out, of use from 16 on. */
function plain(run: RunContext): Reservation {
  return {
    ...{ run, wire: 'chat', provider: 'openai', model: 'gpt-5', isRecorded: false, price: dollarAMillion },
    ...{ inputTokens: 100, outputTokens: 300, outputTokensMin: 16 },
  };
}

/** Ended well with 100 tokens in and 100 out, which cost 200 micro-USD. */
function ended(tenantId: string): Settlement {
  return {
    ...{ tenantId, state: 'completed', status: 200, errorClass: null, attempts: 1, provider: 'openai', model: 'gpt-5' },
    usage: { inputTokens: 100, outputTokens: 100, cachedTokens: 0, cacheWriteTokens: 0, reasoningTokens: 0 },
    ...{ costMicroUsd: 200, firstByteMs: 12 },
  };
}

async function claimedRun(stages: Stages): Promise<RunContext> {
  const { runToken } = await stages.claimNew();
  return runOfToken(stages.database, runToken);
}

const budgetsSql = `
  select id, scope, scope_id as "scopeId", spent_microusd::int as spent, reserved_microusd::int as reserved,
         spent_tokens::int as "spentTokens", reserved_tokens::int as "reservedTokens", level
    from budgets order by template_id is not null, created_at, id`;

const callsSql = `
  select id, state, reserved_microusd::int as reserved, charged_microusd::int as charged, charged_tokens::int as "chargedTokens",
         cost_microusd::int as cost, cardinality(budget_ids) as budgets
    from model_calls order by started_at, id`;

function budgetsOf(stages: Stages): Promise<Budget[]> {
  return stages.sql<Budget>(budgetsSql);
}
