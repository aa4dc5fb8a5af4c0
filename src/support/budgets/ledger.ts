import type { Database } from '../../db/database.ts';
import type { Clock } from '../../kernel/clock.ts';
import { isFault } from '../../kernel/fault.ts';
import type { Log } from '../../kernel/log.ts';
import type { BudgetRow } from './budgets.sql.ts';
import { type DecidedRow, loseCall } from './calls.sql.ts';
import { createDesk } from './desk.ts';
import { busyMessage, spentMessage, unpricedMessage } from './model/words.ts';
import type { AskAboutBudget, Ledger, Reserved, Wanted } from './types.ts';
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
/** A database that is away for a moment must not make a call count as lost. */
const settleAttemptsMax = 6;
const settleAgainMs = 200;

/** The accounts of the gateway's calls: one statement before each, one after it, for several at a time where several come. */
export function createLedger({ database, clock, log, random, onSpent, waitMsMax = 60_000 }: LedgerOptions): Ledger {
  const room = createWaitingRoom({ clock, random });
  const desk = createDesk(database);

  /** Undefined: to be tried again later. */
  async function attempt(wanted: Wanted, isLast: boolean): Promise<Reserved | undefined> {
    for (let look = 1; look <= looksMax; look++) {
      const decided = await desk.reserve(wanted, isLast);
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
          if (await desk.settle(callId, settlement)) room.wake(settlement.tenantId);
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

function isAsDecided(budget: BudgetRow, { capMicrousd, capTokens }: DecidedRow): boolean {
  return budget.capMicrousd === capMicrousd && budget.capTokens === capTokens;
}

function modelOf({ provider, model }: Wanted): string {
  return `${provider}/${model}`;
}
