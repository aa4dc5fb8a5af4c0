import type { WireRun } from '../../../contract/runs.ts';
import type { Tx } from '../../db/database.ts';
import { Fault } from '../../kernel/fault.ts';
import { type RunDetailRow, runDetailById, runsFiltered } from './reads.sql.ts';
import type { RunState } from './model/run.ts';
import type { RunRow } from './runs.sql.ts';

interface RunFilter {
  readonly state?: RunState | undefined;
  readonly ticketId?: string | undefined;
  readonly worker?: string | undefined;
  readonly projectId?: string | undefined;
  /** Only runs that are held, and of them those. */
  readonly health?: WireRun['health'] | undefined;
}

/** Runs, newest first, after the one that ended the last page. */
export function listRuns(
  tx: Tx,
  filter: RunFilter,
  page: { readonly after: { readonly createdAt: string; readonly id: string } | undefined; readonly limit: number },
): Promise<RunRow[]> {
  return tx.query(runsFiltered, [
    tx.tenantId,
    page.limit,
    filter.state ?? null,
    filter.ticketId ?? null,
    page.after?.createdAt ?? null,
    page.after?.id ?? null,
    filter.worker ?? null,
    filter.projectId ?? null,
    filter.health ?? null,
  ]);
}

/** Throws Fault `run_not_found`. */
export async function showRun(tx: Tx, runId: string): Promise<RunDetailRow> {
  const [run] = await tx.query(runDetailById, [tx.tenantId, runId]);
  if (run === undefined) throw new Fault('run_not_found');
  return run;
}
