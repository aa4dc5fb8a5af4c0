import type { Database } from '../../../db/database.ts';
import { move } from '../../../kernel/machine.ts';
import { fence, type HolderScope } from '../holder.ts';
import { runMachine } from '../model/run.ts';
import { type RunRow, startRunRow } from '../runs.sql.ts';
import { progress } from '../verbs.ts';
import { beginWork } from './advance.sql.ts';

/** Keeps the lease and says how far the run has come, as progress does: in one statement, where there is no more to it. */
export async function advance(database: Database, scope: HolderScope, to: Parameters<typeof progress>[2]): Promise<RunRow> {
  const { state, sandbox = null, leaseMs } = to;
  const key = fence(scope.tenantId, scope.holder);
  const { from } = move(runMachine, state === 'working' ? 'work' : 'start');
  const [row] =
    state === 'working'
      ? await database.enginePool.query(beginWork, [...key, leaseMs, sandbox, scope.actor, from])
      : await database.enginePool.query(startRunRow, [...key, leaseMs, state, sandbox, from]);
  if (row === undefined) return database.engine(scope, tx => progress(tx, scope.holder, to));
  if (state === 'working') database.committed();
  return row;
}
