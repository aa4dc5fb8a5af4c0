import type { Database, FlowJob, Tx } from '../../../db/database.ts';
import { getProject } from '../../../support/projects/index.ts';
import { keepTicket } from '../../tickets/index.ts';
import { announceRun } from '../holder.ts';
import { waitBeforeAttempt } from '../model/retry.ts';
import { cancelRunsOfTicket, insertRun, lastRunOf, reorderRunRows } from '../runs.sql.ts';
import type { RunSettings } from '../settings.ts';

/** Puts a ready ticket in the queue; one that is not ready, or queued already, is left as it is. */
export async function queueRun(tx: Tx, ticketId: string, settings: RunSettings): Promise<void> {
  // Kept: cancelled in between, its run would wait in the queue for ever.
  const ticket = await keepTicket(tx, ticketId);
  if (ticket?.status !== 'ready') return;
  const { agent } = await getProject(tx, ticket.projectId);
  const [last] = await tx.query(lastRunOf, [tx.tenantId, 'ticket', ticketId]);
  const waitMs = ticket.attempts === 0 ? 0 : waitBeforeAttempt(last, settings);
  const requires = agent === null ? [] : [`agent:${agent.kind}`];
  const [run] = await tx.query(insertRun, [tx.tenantId, 'ticket', ticketId, ticket.priority, ticket.chain, requires, waitMs]);
  if (run !== undefined) announceRun(tx, run, { type: 'run.queued', waitMs });
}

/** A ticket was changed: its priority, or what waits for it and so the chains of others too. */
export async function reorderRuns(tx: Tx): Promise<void> {
  await tx.query(reorderRunRows, [tx.tenantId]);
}

/** Ends the runs of a ticket that was cancelled or blocked; their holders learn it from their next write. */
export async function withdrawRuns(tx: Tx, ticketId: string): Promise<void> {
  for (const run of await tx.query(cancelRunsOfTicket, [tx.tenantId, ticketId, ['cancelled', 'blocked']])) {
    announceRun(tx, run, { type: 'run.cancelled', why: 'the ticket was cancelled or blocked' });
  }
}

/** A task for the flow from a verb on the event's subject, in a transaction of the role that may do it. */
export function onSubject(
  transact: Database['request'],
  verb: (tx: Tx, subjectId: string) => Promise<unknown>,
): (job: FlowJob) => Promise<void> {
  return async ({ tenantId, subject }) => {
    await transact({ tenantId, actor: 'flow' }, tx => verb(tx, subject.id));
  };
}
