import type { Tx } from '../../db/database.ts';
import type { RunState } from './model/run.ts';
import { type RunRow, runsFiltered } from './runs.sql.ts';

/** Runs, newest first, after the one that ended the last page. */
export function listRuns(
  tx: Tx,
  filter: { readonly state?: RunState | undefined; readonly ticketId?: string | undefined },
  page: { readonly after: { readonly createdAt: string; readonly id: string } | undefined; readonly limit: number },
): Promise<RunRow[]> {
  return tx.query(runsFiltered, [
    tx.tenantId,
    page.limit,
    filter.state ?? null,
    filter.ticketId ?? null,
    page.after?.createdAt ?? null,
    page.after?.id ?? null,
  ]);
}
