import type { RunResult } from '../../../../contract/runs.ts';
import type { Database } from '../../../db/database.ts';
import type { Clock } from '../../../kernel/clock.ts';
import { byTurn, createBatches } from '../../../kernel/batches.ts';
import { fence, type HolderScope } from '../holder.ts';
import type { RunRow } from '../runs.sql.ts';
import { submitRun } from '../verbs.ts';
import { submissionsAtOnceMax, submitRuns } from './submit.sql.ts';

interface Submission {
  readonly scope: HolderScope;
  readonly result: RunResult;
}

/** The floor of the benchmarks gathers as the server does. */
export const submissionGathering = {
  /**
   * A statement costs as much as six hand-ins in it, and claims, for which somebody waits, go on meanwhile: of eight workers who hand in all
   * the time sixteen go together so, and not eight, for a fifth less of PostgreSQL's work (bench/README.md). Who hands in waits some
   * milliseconds more.
   */
  restMsMax: 10,
  /** Longer than any is served that is answered at all but by a database that has fallen silent, or has very much to do. */
  besideMs: 50,
} as const;

/** Hands a result in, as submitRun does. */
export type Submit = (scope: HolderScope, result: RunResult) => Promise<RunRow>;

/**
 * What is handed in at the same time goes together, in one statement and one commit; where there is more to it than that, each goes by
 * itself through submitRun.
 */
export function createSubmit(database: Database, clock: Clock): Submit {
  const together = createBatches<Submission, RunRow>({
    countMax: submissionsAtOnceMax,
    atOnceMax: 2,
    gather: { clock, ...submissionGathering },
    serve: (tenantId, asked) => submitTogether(database, tenantId, asked),
  });
  return (scope, result) => together(scope.tenantId, { scope, result });
}

async function submitTogether(
  database: Database,
  tenantId: string,
  asked: readonly Submission[],
): Promise<readonly (RunRow | Promise<RunRow>)[]> {
  const rows = await database.enginePool.query(submitRuns, [
    tenantId,
    asked.map(({ scope }) => scope.holder.runId),
    asked.map(({ scope }) => fence(tenantId, scope.holder)[2]),
    asked.map(({ result }) => JSON.stringify(result)),
    asked.map(({ scope }) => scope.actor),
    database.tasksOf('run.submitted'),
  ]);
  if (rows.length > 0) database.committed();
  const taken = byTurn(rows);
  return asked.map(
    ({ scope, result }, i) => taken.get(i + 1) ?? database.engine(scope, tx => submitRun(tx, scope.holder, result)),
  );
}
