import type { Ledger, Price, Reservation } from '../../src/gateway/ledger.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { loseUnsettledCall } from '../../src/support/budgets/index.ts';
import type { Accounts } from './accounts.ts';

interface Schedule {
  readonly seed: number;
  readonly callers: number;
  /** Of each caller. */
  readonly callsMax: number;
  readonly capMicroUsd: number;
  /** Of as many servers. */
  readonly ledgers: readonly Ledger[];
}

export interface Spending {
  /** What the callers say that their calls have cost, in micro-USD. */
  readonly paid: number;
  readonly granted: number;
  /** Granted with less output than was asked for. */
  readonly clamped: number;
  readonly spent: number;
  readonly busy: number;
}

/**
 * Callers that reserve and settle against one cap, in an order that hangs on the seed and on the machine. Each settles what costs no more
 * than was reserved; a few settle as failed, and a few never. The database itself refuses, by a check of this test's own, ever to hold
 * more than the cap.
 */
export async function spendAtRandom(accounts: Accounts, schedule: Schedule): Promise<Spending> {
  const { seed, callers, callsMax, capMicroUsd, ledgers } = schedule;
  await accounts.sql('delete from model_calls');
  await accounts.sql('delete from budgets');
  await accounts.cap('tenant', '', { usd: capMicroUsd / 1_000_000 });
  const random = seeded(seed);
  const totals = { paid: 0, granted: 0, clamped: 0, spent: 0, busy: 0 };
  const spender = async (_: unknown, caller: number) => {
    const ledger = ledgers[caller % ledgers.length];
    if (ledger === undefined) throw new Error('there is no ledger');
    for (let call = 0; call < callsMax; call++) {
      const wanted = accounts.wanted(anyCall(random));
      const reserved = await ledger.reserve(wanted, new AbortController().signal);
      if (reserved.kind === 'spent') {
        totals.spent++;
        break;
      }
      if (reserved.kind !== 'granted') {
        totals.busy++;
        continue;
      }
      totals.granted++;
      if (reserved.outputTokens < wanted.outputTokens) totals.clamped++;
      if (random() < 0.5) await systemClock.sleep(random() * 5);
      const cost = await end(ledger, { accounts, wanted, random, ...reserved });
      totals.paid += cost;
    }
  };
  await Promise.all(Array.from({ length: callers }, spender));
  return totals;
}

/**
 * From now on no statement can take a budget past its cap, or a counter below nothing. A trigger and no CHECK: PostgreSQL judges a CHECK on
 * what an update makes of the row as its statement first saw it, before it is led to the newest version.
 */
export async function forbidExcess({ sql }: Accounts): Promise<void> {
  await sql(`create function judge_budget() returns trigger language plpgsql as $$
    begin
      if new.spent_microusd + new.reserved_microusd > new.cap_microusd then raise exception 'past the cap: %', new; end if;
      if least(new.spent_microusd, new.reserved_microusd, new.reserved_tokens) < 0 then raise exception 'below nothing: %', new; end if;
      return null;
    end $$`);
  await sql('create trigger judge_budget after insert or update on budgets for each row execute function judge_budget()');
}

interface Granted {
  readonly accounts: Accounts;
  readonly wanted: Reservation;
  readonly random: () => number;
  readonly callId: string;
  readonly outputTokens: number;
}

/** What it cost. */
async function end(ledger: Ledger, { accounts, wanted, random, callId, outputTokens }: Granted): Promise<number> {
  const { price } = wanted;
  const dice = random();
  if (price === null || dice < 0.05) return lose(accounts, callId);
  const usage = { ...nothing, inputTokens: upTo(random, wanted.inputTokens), outputTokens: upTo(random, outputTokens) };
  const isFailed = dice < 0.15;
  const cost = isFailed ? 0 : Math.ceil((usage.inputTokens * price.input + usage.outputTokens * price.output) / 1_000_000);
  await ledger.settle(callId, {
    ...{ tenantId: accounts.tenantId, state: isFailed ? 'failed' : 'completed', status: isFailed ? 500 : 200 },
    ...{ errorClass: null, attempts: 1, provider: wanted.provider, model: wanted.model, firstByteMs: 1 },
    ...{ usage: isFailed ? nothing : usage, costMicroUsd: cost },
  });
  return cost;
}

const nothing = { inputTokens: 0, outputTokens: 0, cachedTokens: 0, cacheWriteTokens: 0, reasoningTokens: 0 };

/** Its server dies: the net finds the call and charges the whole of it. */
async function lose({ sql, database, tenantId }: Accounts, callId: string): Promise<number> {
  await loseUnsettledCall(database, tenantId, callId);
  const [call] = await sql<{ charged: number }>('select charged_microusd::int as charged from model_calls where id = $1', [
    callId,
  ]);
  return call?.charged ?? 0;
}

function anyCall(random: () => number): Partial<Reservation> {
  return {
    inputTokens: 1 + upTo(random, 4_000),
    outputTokens: 16 + upTo(random, 8_000),
    price: prices[upTo(random, prices.length - 1)] ?? null,
  };
}

/** Micro-USD per million tokens: a dear model, a plain one, a cheap one with an odd price. */
const prices: readonly Price[] = [
  { input: 15_000_000, output: 75_000_000, cached: 1_500_000, cacheWrite: 15_000_000, asOf: '2026-01-02' },
  { input: 3_000_000, output: 15_000_000, cached: 300_000, cacheWrite: 3_000_000, asOf: '2026-01-02' },
  { input: 333_333, output: 777_777, cached: 3, cacheWrite: 333_333, asOf: '2026-01-02' },
];

function upTo(random: () => number, most: number): number {
  return Math.floor(random() * (most + 1));
}

/** Mulberry32: the same numbers for the same seed. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
