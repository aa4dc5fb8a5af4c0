import { failpoint } from '../../../kernel/failpoint.ts';
import { isFault } from '../../../kernel/fault.ts';
import { findTrunk } from '../../../support/repositories/index.ts';
import { flowScope, type ReviewParts, takeIn } from '../../reviews/index.ts';
import { goOn, type Resumable, runsHeldUpBy, runToResume, type TakenIn } from '../../runs/index.ts';
import { getTicket } from '../../tickets/index.ts';
import { ensureCommits } from './ensure.ts';

/** A question is decided: all that hung on it goes on, or ends. Safe to run twice; one that cannot go on now holds up no other. */
export async function resumeRuns(parts: ReviewParts, tenantId: string, questionId: string): Promise<void> {
  failpoint('question-answered');
  const held = await parts.database.engine(flowScope(tenantId), tx => runsHeldUpBy(tx, questionId));
  const failures: unknown[] = [];
  for (const runId of held) await resumeRun(parts, tenantId, runId).catch((error: unknown) => failures.push(error));
  if (failures.length > 0) throw failures[0];
}

/**
 * A run that hangs on a decided question, or that broke off, goes on: what it has left is taken in first, so that the next attempt can
 * begin from it. Work that cannot be taken in is left behind, and the next attempt begins where this one did. Safe to run twice.
 */
export async function resumeRun(parts: ReviewParts, tenantId: string, runId: string): Promise<void> {
  const scope = flowScope(tenantId);
  const resumable = await parts.database.engine(scope, tx => runToResume(tx, runId));
  const taken = resumable === undefined ? null : await takeInWork(parts, resumable);
  failpoint('before-resume');
  await parts.database.engine(scope, async tx => {
    // It broke off since the look, and the job of that brings its work: without it nothing may go on.
    if (resumable === undefined && (await runToResume(tx, runId)) !== undefined) return;
    await goOn(tx, runId, taken);
  });
}

/** The work of a run, once it is in Skep's copy of the repository; null where there is none, or none that can be taken in. */
async function takeInWork(parts: ReviewParts, { run, remains }: Resumable): Promise<TakenIn | null> {
  const { id: runId, tenantId, subjectType, ticketId, task } = run;
  const { bundle, head } = remains ?? {};
  if (subjectType !== 'ticket' || ticketId === null || bundle === undefined || task === null) return null;
  const trunk = await parts.database.engine(flowScope(tenantId), async tx => findTrunk(tx, await getTicket(tx, ticketId)));
  if (trunk === undefined) return null;
  const repo = await ensureCommits(parts, trunk, [task.commit]);
  try {
    const taken = { bundle, head: await takeIn(parts, repo, { runId, ticketId, head, bundle }) };
    // What has nothing in common with where it began could never land, nor could what builds on it.
    return (await repo.history.mergeBase(task.commit, taken.head)) === undefined ? null : taken;
  } catch (error) {
    if (!isUseless(error)) throw error;
    return null;
  }
}

/** What is lost or broken stays so: whoever waited for it would wait for ever. */
function isUseless(error: unknown): boolean {
  return isFault(error, 'invalid_bundle') || isFault(error, 'blob_not_found');
}
