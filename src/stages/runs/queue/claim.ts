import type { Database, Scope } from '../../../db/database.ts';
import { hashSecret, randomSecret } from '../../../kernel/secret.ts';
import type { RunRow } from '../runs.sql.ts';
import { claimRun } from './claim.sql.ts';
import type { RunSettings } from '../settings.ts';

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

/** Takes the next run for a worker, or undefined. One statement. An empty answer means only that nothing was free at this moment. */
export async function claimNext(database: Database, wish: ClaimWish, settings: RunSettings): Promise<ClaimedRun | undefined> {
  const token = randomSecret();
  const runToken = `${runTokenPrefix}${randomSecret()}`;
  const [run] = await database.enginePool.query(claimRun, [
    wish.tenantId,
    wish.worker,
    hashSecret(token),
    wish.capabilities,
    settings.leaseMs,
    wish.ticketId ?? null,
    hashSecret(runToken),
  ]);
  if (run === undefined) return undefined;
  database.committed();
  return { run, token, runToken };
}
