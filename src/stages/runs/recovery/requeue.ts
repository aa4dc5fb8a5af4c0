import type { Tx } from '../../../db/database.ts';
import { keepTicket } from '../../tickets/index.ts';
import { announceRun } from '../holder.ts';
import { requeueRunRow, type RunRow } from '../runs.sql.ts';

/** Queues the next attempt at what is no ticket, as the last one was. */
export async function requeueRun(tx: Tx, run: RunRow, waitMs: number): Promise<RunRow | undefined> {
  // Kept: cancelled or failed in between, the next attempt would wait in the queue for ever.
  const status = run.ticketId === null ? undefined : (await keepTicket(tx, run.ticketId))?.status;
  if (status === 'cancelled' || status === 'failed') return undefined;
  const [queued] = await tx.query(requeueRunRow, [tx.tenantId, run.id, waitMs]);
  if (queued !== undefined) announceRun(tx, queued, { type: 'run.queued', waitMs });
  return queued;
}
