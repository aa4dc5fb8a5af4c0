import type { subjectTypes } from '../../../../contract/runs.ts';
import type { Database, FlowJob, Tx } from '../../../db/database.ts';
import { wakeClaims } from '../../../support/fleet/index.ts';
import { getProject } from '../../../support/projects/index.ts';
import { findTrunk, openTrunk } from '../../../support/repositories/index.ts';
import { getSpec } from '../../specs/index.ts';
import { keepTicket, type TicketRow } from '../../tickets/index.ts';
import { announceRun } from '../holder.ts';
import { endedCountMax, waitBeforeAttempt } from '../model/retry.ts';
import { closeAsks, closeQuestions, endParked } from '../parking/close.ts';
import { carryWaitMs } from '../recovery/carry.ts';
import {
  begunChain,
  cancelRunsOfTicket,
  insertRun,
  lastRunsOf,
  readyTicketsOfTrunk,
  reorderRunRows,
  type RunRow,
  type StoredTask,
} from '../runs.sql.ts';
import type { RunSettings } from '../settings.ts';
import { type Place, placeOf } from './route.ts';

/**
 * Puts a ready ticket in the queue; one that is not ready, or queued already, is left as it is. The first of a spec opens the
 * trunk; until that is ready nothing is queued.
 */
export async function queueRun(tx: Tx, ticketId: string, settings: RunSettings): Promise<void> {
  await endParked(tx, ticketId);
  // Kept: cancelled in between, its run would wait in the queue for ever.
  const ticket = await keepTicket(tx, ticketId);
  if (ticket?.status !== 'ready') return;
  // None counts: a person has it begun anew, or it is the first.
  if (ticket.attempts === 0) await closeAsks(tx, ticketId);
  const project = await getProject(tx, ticket.projectId);
  const trunk = await findTrunk(tx, ticket);
  if (trunk === undefined) await openTrunk(tx, { ...ticket, title: await titleOf(tx, ticket), redBase: project.redBase });
  if (trunk?.state !== 'ready') return;
  const last = await tx.query(lastRunsOf, [tx.tenantId, 'ticket', ticketId, Math.min(ticket.attempts, endedCountMax)]);
  const waitMs = Math.max(waitBeforeAttempt(last, settings), await carryWaitMs(tx, ticketId));
  await queueSubject(tx, {
    type: 'ticket',
    id: ticketId,
    ticketId,
    ticketStatus: 'ready',
    priority: ticket.priority,
    chain: ticket.chain + (ticket.attempts > 0 ? begunChain : 0),
    ...(await placeOf(tx, { project, type: ticket.type, waitMs }, settings)),
    waitMs,
  });
}

/** The trunk has become ready: so may the work that waits for it. */
export async function queueRunsOfTrunk(tx: Tx, trunkId: string, settings: RunSettings): Promise<void> {
  for (const { id } of await tx.query(readyTicketsOfTrunk, [tx.tenantId, trunkId])) await queueRun(tx, id, settings);
}

export interface QueuedSubject {
  readonly type: (typeof subjectTypes)[number];
  readonly id: string;
  /** On whose behalf; null for what no ticket asked for. */
  readonly ticketId: string | null;
  /** The status in which that ticket must be for the run to be claimed. */
  readonly ticketStatus: TicketRow['status'] | null;
  readonly priority: number;
  readonly chain: number;
  /** Beside the labels of its project. */
  readonly requires: readonly string[];
  /** By which it is worked on; absent: by the agent of its project, where it is one's work. */
  readonly template?: Place | undefined;
  readonly task?: StoredTask;
  readonly waitMs: number;
}

/** What is nearly done goes before what was begun, and that before what was not. */
export const finishingChain = 1_000_000;

/** Puts a run of any subject in the queue. One that has a live run is left as it is. */
export async function queueSubject(tx: Tx, subject: QueuedSubject): Promise<RunRow | undefined> {
  const { type, id, ticketId, ticketStatus, priority, chain, requires, template, task, waitMs } = subject;
  const place = [ticketId, ticketStatus, priority, chain, requires] as const;
  const stored = task === undefined ? null : JSON.stringify(task);
  const by = [template?.id ?? null, template?.fallbackOf ?? null];
  const [run] = await tx.query(insertRun, [tx.tenantId, type, id, ...place, stored, waitMs, ...by]);
  if (run === undefined) return undefined;
  announceRun(tx, run, { type: 'run.queued', waitMs, ...(run.template === null ? {} : { template: run.template }) });
  if (run.fallbackOf !== null)
    announceRun(tx, run, { type: 'run.routed', template: run.template, fallbackOf: run.fallbackOf, why: template?.why ?? null });
  return run;
}

/** A ticket was changed: its priority, what waits for it and so the chains of others too, or what it will touch. */
export async function reorderRuns(tx: Tx): Promise<void> {
  await tx.query(reorderRunRows, [tx.tenantId]);
  await wakeClaims(tx);
}

/** Ends the runs on behalf of a ticket that may not go on; their holders learn it from their next write. */
export async function withdrawRuns(tx: Tx, ticketId: string): Promise<void> {
  for (const run of await tx.query(cancelRunsOfTicket, [tx.tenantId, ticketId, ['cancelled', 'blocked', 'failed']])) {
    announceRun(tx, run, { type: 'run.cancelled', why: 'its ticket was cancelled, blocked or failed' });
  }
  await closeQuestions(tx, ticketId);
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

async function titleOf(tx: Tx, { specId }: TicketRow): Promise<string> {
  return specId === null ? 'tickets' : (await getSpec(tx, specId)).name;
}
