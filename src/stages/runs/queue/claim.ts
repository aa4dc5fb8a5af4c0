import type { Database, Scope } from '../../../db/database.ts';
import { byTurn, createBatches } from '../../../kernel/batches.ts';
import { hashSecret, randomSecret } from '../../../kernel/secret.ts';
import { type RunRow, unbegun } from '../runs.sql.ts';
import type { RunSettings } from '../settings.ts';
import { claimRun, claimRuns, claimsAtOnceMax } from './claim.sql.ts';

/** By which a scanner recognises a leaked one. */
const runTokenPrefix = 'skeprun_';

export interface ClaimWish extends Scope {
  readonly worker: string;
  readonly capabilities: readonly string[];
  readonly ticketId?: string | undefined;
}

export interface ClaimedRun {
  readonly run: RunRow;
  /** Only the holder knows it; the database keeps its hash. */
  readonly token: string;
  /** For the sandbox of the run. */
  readonly runToken: string;
}

/** Takes the next run for a worker, or undefined. An empty answer means only that nothing was free at this moment. */
export type Claim = (wish: ClaimWish) => Promise<ClaimedRun | undefined>;

/**
 * Claims that are wished for at the same time go together, two statements at a time for those who can do the same: each by itself they
 * would walk the same rows of the queue, past what the others have locked, and each with a commit of its own.
 */
export function createClaims(database: Database, settings: RunSettings): Claim {
  const together = createBatches<ClaimWish, ClaimedRun | undefined>({
    countMax: claimsAtOnceMax,
    atOnceMax: 2,
    serve: (_, wishes) => claimTogether(database, wishes, settings),
  });
  return wish =>
    wish.ticketId === undefined ? together(keyOf(wish), wish) : claimAlone(database, { ...wish, ...newTokens() }, settings);
}

/** One claim for itself. */
export async function claimNext(database: Database, wish: ClaimWish, settings: RunSettings): Promise<ClaimedRun | undefined> {
  return createClaims(database, settings)(wish);
}

/** Who can do the same may get each other's runs. */
function keyOf({ tenantId, capabilities }: ClaimWish): string {
  return JSON.stringify([tenantId, [...capabilities].sort()]);
}

interface Tokens {
  readonly token: string;
  readonly runToken: string;
}

function newTokens(): Tokens {
  return { token: randomSecret(), runToken: `${runTokenPrefix}${randomSecret()}` };
}

async function claimTogether(
  database: Database,
  wishes: readonly ClaimWish[],
  settings: RunSettings,
): Promise<readonly (ClaimedRun | undefined | Promise<ClaimedRun | undefined>)[]> {
  const asked = wishes.map(wish => ({ ...wish, ...newTokens() }));
  const rows = await database.enginePool.query(claimRuns, [
    ...[asked[0]?.tenantId ?? null, asked[0]?.capabilities ?? null, settings.leaseMs],
    asked.map(({ worker }) => worker),
    asked.map(({ token }) => hashSecret(token)),
    asked.map(({ runToken }) => hashSecret(runToken)),
  ]);
  if (rows.length > 0) database.committed();
  const given = byTurn(rows);
  return asked.map((wish, i) => {
    const row = given.get(i + 1);
    if (row === undefined) return claimAlone(database, wish, settings);
    return { run: Object.assign(row, unbegun), token: wish.token, runToken: wish.runToken };
  });
}

/** Looks at all that a claim may depend on. One statement. */
async function claimAlone(
  database: Database,
  { tenantId, worker, capabilities, ticketId, token, runToken }: ClaimWish & Tokens,
  { leaseMs }: RunSettings,
): Promise<ClaimedRun | undefined> {
  const hashes = [hashSecret(token), hashSecret(runToken)] as const;
  const values = [tenantId, worker, hashes[0], capabilities, leaseMs, ticketId ?? null, hashes[1]];
  const [run] = await database.enginePool.query(claimRun, values);
  if (run === undefined) return undefined;
  database.committed();
  return { run: Object.assign(run, unbegun), token, runToken };
}
