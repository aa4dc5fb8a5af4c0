import { randomUUID } from 'node:crypto';
import type { Database } from '../../db/database.ts';
import { type DecidedRow, reserveCall, reserveCalls, settleCalls } from './calls.sql.ts';
import type { Price, Settlement, Wanted } from './types.ts';

/** Where the ledger's statements are made: for each tenant one at a time on this server, each for all that came meanwhile. */
export interface Desk {
  reserve(wanted: Wanted, isLast: boolean): Promise<DecidedRow>;
  /** False where it was settled already. */
  settle(callId: string, settlement: Settlement): Promise<boolean>;
}

/** Calls in one statement. */
const atOnceMax = 64;

interface Pending<Asked, Answer> {
  readonly asked: Asked;
  resolve(answer: Answer): void;
  reject(error: unknown): void;
}

type Reserving = Pending<Wanted, DecidedRow>;
type Settling = Pending<{ callId: string; settlement: Settlement }, boolean>;

interface Line {
  readonly reserving: Reserving[];
  readonly settling: Settling[];
}

/**
 * Statements that want the same budget's row at the same time only wait for each other, each with a connection of its own, and then look
 * at everything again: four at once cost three times as much as one after another. So they queue here, and go together.
 */
export function createDesk(database: Database): Desk {
  const lines = new Map<string, Line>();

  function lineOf(tenantId: string): Line {
    const known = lines.get(tenantId);
    if (known !== undefined) return known;
    const line: Line = { reserving: [], settling: [] };
    lines.set(tenantId, line);
    // Begins when whoever asks has taken his place.
    queueMicrotask(() => void serve(tenantId, line));
    return line;
  }

  async function serve(tenantId: string, line: Line): Promise<void> {
    while (line.settling.length + line.reserving.length > 0) {
      // What is given back goes first: it may be just what the others lack.
      const settling = line.settling.splice(0, atOnceMax);
      if (settling.length > 0) await answering(settling, () => settleAll(database, tenantId, settling));
      const reserving = line.reserving.splice(0, atOnceMax);
      if (reserving.length > 0) await answering(reserving, () => reserveAll(database, tenantId, reserving));
    }
    lines.delete(tenantId);
  }

  return {
    reserve(wanted, isLast) {
      // The last try may take less than the others, so it goes alone.
      if (isLast) return decide(database, wanted, true);
      return new Promise((resolve, reject) => lineOf(wanted.run.tenantId).reserving.push({ asked: wanted, resolve, reject }));
    },
    settle: (callId, settlement) =>
      new Promise((resolve, reject) =>
        lineOf(settlement.tenantId).settling.push({ asked: { callId, settlement }, resolve, reject }),
      ),
  };
}

/** What goes wrong is told to all who have no answer yet. */
async function answering(all: readonly { reject(error: unknown): void }[], work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    for (const { reject } of all) reject(error);
  }
}

async function reserveAll(database: Database, tenantId: string, all: readonly Reserving[]): Promise<void> {
  if (all.length > 1) {
    const wants = all.map(({ asked }) => ({ id: randomUUID(), ...columnsOf(asked) }));
    const granted = await database.enginePool.query(reserveCalls, [tenantId, JSON.stringify(wants)]);
    if (granted.length > 0) {
      all.forEach(({ asked: { outputTokens }, resolve }, i) =>
        resolve({ ...grantedRow, callId: wants[i]?.id ?? null, outputTokens }),
      );
      return;
    }
  }
  for (const { asked, resolve } of all) resolve(await decide(database, asked, false));
}

const grantedRow = { kind: 'granted', budgetId: null, capMicrousd: null, capTokens: null } as const;

async function decide(database: Database, wanted: Wanted, isLast: boolean): Promise<DecidedRow> {
  const { run, wire, provider, model, isRecorded, inputTokens, outputTokens, outputTokensMin, price } = wanted;
  const [decided] = await database.enginePool.query(reserveCall, [
    ...[run.tenantId, run.runId, run.projectId, run.specId, run.ticketId, run.agent],
    ...[wire, provider, model, isRecorded, inputTokens, outputTokens, outputTokensMin],
    ...[dearestInput(price), price?.output ?? null, price?.asOf ?? null, isLast],
  ]);
  if (decided === undefined) throw new Error('nothing was decided about a call');
  return decided;
}

function columnsOf({ run, wire, provider, model, isRecorded, inputTokens, outputTokens, price }: Wanted): object {
  return {
    ...{ run_id: run.runId, project_id: run.projectId, spec_id: run.specId, ticket_id: run.ticketId, agent: run.agent },
    ...{ wire, provider, model, is_recorded: isRecorded, input_tokens: inputTokens, output_tokens: outputTokens },
    ...{ price_input: dearestInput(price), price_output: price?.output ?? null, price_date: price?.asOf ?? null },
  };
}

/** What the provider writes to its cache it charges as more than plain input, and nobody knows before how much that is. */
function dearestInput(price: Price | null): number | null {
  return price === null ? null : Math.max(price.input, price.cacheWrite);
}

async function settleAll(database: Database, tenantId: string, all: readonly Settling[]): Promise<void> {
  // Of those that say the same call twice, the first.
  const first = new Map(all.toReversed().map(each => [each.asked.callId, each]));
  const given = [...first.values()].map(({ asked }) => closingOf(asked));
  const [row] = await database.enginePool.query(settleCalls, [tenantId, JSON.stringify(given)]);
  if ((row?.told ?? 0) > 0) database.committed();
  const closed = new Set(row?.closed);
  for (const each of all) each.resolve(closed.has(each.asked.callId) && first.get(each.asked.callId) === each);
}

function closingOf({ callId, settlement }: Settling['asked']): object {
  const { state, status, errorClass, attempts, provider, model, usage, costMicroUsd, firstByteMs } = settlement;
  return {
    ...{ call_id: callId, state, status, error_class: errorClass, attempts, provider, model },
    ...{ input_tokens: usage.inputTokens, output_tokens: usage.outputTokens, cached_tokens: usage.cachedTokens },
    ...{ cache_write_tokens: usage.cacheWriteTokens, reasoning_tokens: usage.reasoningTokens },
    ...{ cost_microusd: costMicroUsd, first_byte_ms: firstByteMs },
  };
}
