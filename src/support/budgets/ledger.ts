import type { Database } from '../../db/database.ts';
import type { Clock } from '../../kernel/clock.ts';
import { isFault } from '../../kernel/fault.ts';
import type { Log } from '../../kernel/log.ts';
import type { BudgetRow } from './budgets.sql.ts';
import { type DecidedRow, loseCall, reserveCall, settleCall } from './calls.sql.ts';
import { busyMessage, spentMessage, unpricedMessage } from './model/words.ts';
import type { AskAboutBudget, Ledger, Reserved, Settlement, Wanted } from './types.ts';
import { createTurns } from './turns.ts';
import { getBudget, makeBudgetsOf, refuseMore } from './verbs.ts';
import { createWaitingRoom } from './waiting-room.ts';

interface LedgerOptions {
  readonly database: Database;
  readonly clock: Clock;
  readonly log: Log;
  /** Chance, 0 ≤ x < 1. */
  readonly random: () => number;
  readonly onSpent: AskAboutBudget;
  /** How long a call waits for what others have reserved. */
  readonly waitMsMax?: number;
}

/** A budget that is removed or raised between two looks is looked at again this often. */
const looksMax = 5;
/**
 * Statements of the ledger at once: those that want the same budget's row only wait for each other in the database, and there each would
 * hold one of the connections that claims and heartbeats need.
 */
const atOnceMax = 1;
/** A database that is away for a moment must not make a call count as lost. */
const settleAttemptsMax = 6;
const settleAgainMs = 200;

/** The accounts of the gateway's calls: one statement before each, one after it. */
export function createLedger({ database, clock, log, random, onSpent, waitMsMax = 60_000 }: LedgerOptions): Ledger {
  const room = createWaitingRoom({ clock, random });
  const inTurn = createTurns(atOnceMax);

  /** Undefined: to be tried again later. */
  async function attempt(wanted: Wanted, isLast: boolean): Promise<Reserved | undefined> {
    for (let look = 1; look <= looksMax; look++) {
      const decided = await inTurn(() => decide(database, wanted, isLast));
      if (decided.kind === 'wait' && !isLast) return undefined;
      const reserved = await conclude(decided, wanted);
      if (reserved !== undefined) return reserved;
    }
    throw new Error('the budgets of a run changed faster than they could be read');
  }

  /** Undefined where the budgets are no more as they were when it was decided. */
  async function conclude(decided: DecidedRow, wanted: Wanted): Promise<Reserved | undefined> {
    const scope = { tenantId: wanted.run.tenantId, actor: `run:${wanted.run.runId}` };
    if (decided.kind === 'granted') {
      if (decided.callId === null || decided.outputTokens === null) throw new Error('a call was granted and not noted');
      return { kind: 'granted', callId: decided.callId, outputTokens: decided.outputTokens };
    }
    return database.engine(scope, async (tx): Promise<Reserved | undefined> => {
      if (decided.kind === 'lacking') {
        await makeBudgetsOf(tx, wanted.run);
        return undefined;
      }
      const budget = await getBudget(tx, decided.budgetId ?? '');
      if (budget === undefined || !isAsDecided(budget, decided)) return undefined;
      if (decided.kind === 'wait') return { kind: 'busy', message: busyMessage(budget, waitMsMax) };
      if (decided.kind === 'unpriced') return { kind: 'unpriced', message: unpricedMessage(budget, modelOf(wanted)) };
      const message = spentMessage(budget);
      await refuseMore(tx, budget);
      const questionId = await onSpent(tx, { budget, message, run: wanted.run });
      return { kind: 'spent', message, budgetId: budget.id, questionId };
    });
  }

  return {
    async reserve(wanted, signal) {
      signal.throwIfAborted();
      const { tenantId } = wanted.run;
      const reserved =
        (await attempt(wanted, false)) ??
        (await room.wait(tenantId, { attempt: isLast => attempt(wanted, isLast), signal, waitMsMax }));
      if (reserved === undefined) throw new Error('a call waited to the end and was not answered');
      return reserved;
    },
    async settle(callId, settlement) {
      for (let tries = 1; ; tries++) {
        try {
          if (await inTurn(() => settle(database, callId, settlement))) room.wake(settlement.tenantId);
          return;
        } catch (error) {
          if (tries >= settleAttemptsMax || !isFault(error, 'database_unavailable')) throw error;
          log.warn({ callId, error: String(error) }, 'a call could not be settled yet');
          await clock.sleep(settleAgainMs * 2 ** (tries - 1));
        }
      }
    },
  };
}

/** The net under a server that died with calls on their way. */
export async function loseUnsettledCall(database: Database, tenantId: string, callId: string): Promise<void> {
  const [row] = await database.enginePool.query(loseCall, [tenantId, callId]);
  if ((row?.told ?? 0) > 0) database.committed();
}

async function decide(database: Database, wanted: Wanted, isLast: boolean): Promise<DecidedRow> {
  const { run, wire, provider, model, isRecorded, inputTokens, outputTokens, outputTokensMin, price } = wanted;
  const [decided] = await database.enginePool.query(reserveCall, [
    ...[run.tenantId, run.runId, run.projectId, run.specId, run.ticketId, run.agent],
    ...[wire, provider, model, isRecorded, inputTokens, outputTokens, outputTokensMin],
    // What the provider writes to its cache it charges as more than plain input, and nobody knows before how much that is.
    price === null ? null : Math.max(price.input, price.cacheWrite),
    price?.output ?? null,
    price?.asOf ?? null,
    isLast,
  ]);
  if (decided === undefined) throw new Error('nothing was decided about a call');
  return decided;
}

/** False where it was settled already. */
async function settle(database: Database, callId: string, settlement: Settlement): Promise<boolean> {
  const { tenantId, state, status, errorClass, attempts, provider, model, usage, costMicroUsd, firstByteMs } = settlement;
  const { inputTokens, outputTokens, cachedTokens, cacheWriteTokens, reasoningTokens } = usage;
  const [row] = await database.enginePool.query(settleCall, [
    ...[tenantId, callId, state, status, errorClass, attempts, provider, model],
    ...[inputTokens, outputTokens, cachedTokens, cacheWriteTokens, reasoningTokens, costMicroUsd, firstByteMs],
  ]);
  if ((row?.told ?? 0) > 0) database.committed();
  return (row?.closed ?? 0) > 0;
}

function isAsDecided(budget: BudgetRow, { capMicrousd, capTokens }: DecidedRow): boolean {
  return budget.capMicrousd === capMicrousd && budget.capTokens === capTokens;
}

function modelOf({ provider, model }: Wanted): string {
  return `${provider}/${model}`;
}
