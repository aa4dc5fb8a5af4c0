import type { Database } from '../../db/database.ts';
import { announceRun, fence, type HolderScope, lostLease } from './holder.ts';
import { holdLease } from './runs.sql.ts';

/** What a holder says of its run on the way: a phase, a note. It becomes an event and changes nothing else. */
export function reportRun(
  database: Database,
  scope: HolderScope,
  report: { type: string; payload: Readonly<Record<string, unknown>> },
): Promise<void> {
  return database.engine(scope, async tx => {
    const [run] = await tx.query(holdLease, fence(tx.tenantId, scope.holder));
    if (run === undefined) throw await lostLease(tx, scope.holder);
    announceRun(tx, run, { type: 'run.reported', report: report.type, details: report.payload });
  });
}
