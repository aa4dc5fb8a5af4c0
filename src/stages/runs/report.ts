import type { Database, Tx } from '../../db/database.ts';
import { Fault } from '../../kernel/fault.ts';
import { announceRun, fence, type HolderScope, lostLease } from './holder.ts';
import { beginPhaseRow, holdLease, holdLiveRun, keepReportRow, type StoredReport } from './runs.sql.ts';

/** What a holder says of its run on the way, such as a note. It becomes an event; a phase that begins is written down too. */
export function reportRun(
  database: Database,
  scope: HolderScope,
  report: { type: string; payload: Readonly<Record<string, unknown>> },
): Promise<void> {
  return database.engine(scope, async tx => {
    const key = fence(tx.tenantId, scope.holder);
    const phase = phaseOf(report);
    const [run] = phase === undefined ? await tx.query(holdLease, key) : await tx.query(beginPhaseRow, [...key, phase]);
    if (run === undefined) throw await lostLease(tx, scope.holder);
    announceRun(tx, run, { type: 'run.reported', report: report.type, details: report.payload });
  });
}

function phaseOf({ type, payload }: { type: string; payload: Readonly<Record<string, unknown>> }): string | undefined {
  const { phase } = payload;
  return type === 'phase.started' && typeof phase === 'string' && /^[a-z][a-z_]{0,49}$/.test(phase) ? phase : undefined;
}

/** Reports of one run that differ; each is an event. */
const reportsMax = 100;

/**
 * What the agent itself says of its work: a claim, beside what the worker hands in. The same one said again changes nothing. Throws
 * Fault `lease_lost` once the run is over, `wrong_state` where it has reported too often.
 */
export async function keepReport(tx: Tx, runId: string, said: Omit<StoredReport, 'revision'>): Promise<void> {
  const [run] = await tx.query(holdLiveRun, [tx.tenantId, runId]);
  if (run === undefined) throw await lostLease(tx, { runId, token: '' });
  const revision = run.report?.revision ?? 0;
  if (isSame(run.report, said)) return;
  if (revision >= reportsMax) throw new Fault('wrong_state', { message: `A run reports at most ${reportsMax} times` });
  await tx.query(keepReportRow, [tx.tenantId, runId, JSON.stringify({ revision: revision + 1, ...said })]);
  announceRun(tx, run, { type: 'run.reported', report: 'result', details: said });
}

function isSame(before: StoredReport | null, { status, summary, files }: Omit<StoredReport, 'revision'>): boolean {
  return before?.status === status && before.summary === summary && JSON.stringify(before.files) === JSON.stringify(files);
}
