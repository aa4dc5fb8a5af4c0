import { isFault } from '../../../kernel/fault.ts';
import { findTrunk } from '../../../support/repositories/index.ts';
import { flowScope, type ReviewParts, takeIn } from '../../reviews/index.ts';
import { goOn, type RunRow, runsHeldUpBy, runToResume } from '../../runs/index.ts';
import { getTicket } from '../../tickets/index.ts';
import { ensureCommits } from './ensure.ts';

/** A question is decided: all that hung on it goes on, or ends. Safe to run twice; one that cannot go on now holds up no other. */
export async function resumeRuns(parts: ReviewParts, tenantId: string, questionId: string): Promise<void> {
  const held = await parts.database.engine(flowScope(tenantId), tx => runsHeldUpBy(tx, questionId));
  const failures: unknown[] = [];
  for (const runId of held) await resumeRun(parts, tenantId, runId).catch((error: unknown) => failures.push(error));
  if (failures.length > 0) throw failures[0];
}

/**
 * A run that hangs on a decided question goes on: what it has handed in is taken in first, so that the next attempt can begin from
 * it. Work that cannot be taken in is left behind, and the next attempt begins where this one did. Safe to run twice.
 */
export async function resumeRun(parts: ReviewParts, tenantId: string, runId: string): Promise<void> {
  const scope = flowScope(tenantId);
  const run = await parts.database.engine(scope, tx => runToResume(tx, runId));
  const head = run === undefined ? null : await takeInParked(parts, run);
  await parts.database.engine(scope, tx => goOn(tx, runId, head));
}

/** The commit from which the work goes on, once it is in Skep's copy of the repository; null where there is none. */
async function takeInParked(
  parts: ReviewParts,
  { id: runId, tenantId, subjectType, state, ticketId, result, task }: RunRow,
): Promise<string | null> {
  const { head, bundle } = result ?? {};
  if (state !== 'parked' || subjectType !== 'ticket' || ticketId === null || head === undefined || bundle === undefined)
    return null;
  const trunk = await parts.database.engine(flowScope(tenantId), async tx => findTrunk(tx, await getTicket(tx, ticketId)));
  if (trunk === undefined || task === null) return null;
  const repo = await ensureCommits(parts, trunk, [task.commit]);
  try {
    await takeIn(parts, repo, { runId, ticketId, head, bundle });
    return head;
  } catch (error) {
    if (!isFault(error, 'invalid_bundle')) throw error;
    return null;
  }
}
