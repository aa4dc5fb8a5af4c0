import type { Tx } from '../../../db/database.ts';
import { failpoint } from '../../../kernel/failpoint.ts';
import { Fault } from '../../../kernel/fault.ts';
import { announceRun } from '../holder.ts';
import { type RunRow, runById } from '../runs.sql.ts';
import type { RunSettings } from '../settings.ts';
import { buryRunRow, loseRunRow } from './recovery.sql.ts';
import { settle } from './settle.ts';

/** Takes back an expired lease; the ticket is tried again or failed. A lease that was renewed meanwhile is left alone. */
export async function loseRun(tx: Tx, runId: string, settings: RunSettings): Promise<boolean> {
  const [run] = await tx.query(loseRunRow, [tx.tenantId, runId]);
  if (run === undefined) return false;
  await takeBack(tx, run, settings);
  failpoint('sweep-took-lease');
  return true;
}

/**
 * The holder of this fence is known to be dead: as if its lease had run out now. Throws Fault `run_not_found`, and `wrong_state`
 * where that claim does not hold the run any more.
 */
export async function buryRun(
  tx: Tx,
  runId: string,
  { fence, settings }: { readonly fence: number; readonly settings: RunSettings },
): Promise<RunRow> {
  const [run] = await tx.query(buryRunRow, [tx.tenantId, runId, fence]);
  if (run === undefined) throw await notHeld(tx, runId, fence);
  await takeBack(tx, run, settings);
  return run;
}

async function takeBack(tx: Tx, run: RunRow, settings: RunSettings): Promise<void> {
  announceRun(tx, run, { type: 'run.lost', worker: run.worker });
  await settle(tx, run, { message: '', settings });
}

async function notHeld(tx: Tx, runId: string, fence: number): Promise<Fault> {
  const [run] = await tx.query(runById, [tx.tenantId, runId]);
  if (run === undefined) return new Fault('run_not_found');
  return new Fault('wrong_state', {
    message: `The claim with fence ${fence} does not hold this run: it is ${run.state}${run.fence === null ? '' : `, its fence ${run.fence}`}`,
    hint: 'Nothing is left to be done for it',
    facts: { currentState: run.state },
  });
}
