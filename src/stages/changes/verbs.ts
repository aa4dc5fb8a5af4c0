import type { EventType, News } from '../../../contract/events.ts';
import type { Tx } from '../../db/database.ts';
import { Fault } from '../../kernel/fault.ts';
import { move } from '../../kernel/machine.ts';
import { getProject } from '../../support/projects/index.ts';
import { holdTrunk, reserve, type TrunkRow } from '../../support/repositories/index.ts';
import { getReview, type ReviewRow, type ReviewSettings, sendBack, sendResolutionBack } from '../reviews/index.ts';
import { getRun, holdSubmitted, submittedRunOf } from '../runs/index.ts';
import { keepTicket, mergeTicket, type TicketRow, ticketWaits } from '../tickets/index.ts';
import {
  approveChangeRow,
  changeById,
  changeForUpdate,
  changeOfTicket,
  type ChangeRow,
  changesFiltered,
  moveChangeRow,
  putChange,
  rebaseChangeRow,
  rejectChangeRow,
} from './changes.sql.ts';
import { changeMachine, type ChangeState } from './model/change.ts';

const listMax = 500;

/** A review has passed, or there was nothing to check: the work may land, unless a person must look at it first. */
export async function openChange(tx: Tx, reviewId: string): Promise<void> {
  const { trunkId } = await getReview(tx, reviewId);
  const trunk = await holdTrunk(tx, trunkId);
  const review = await getReview(tx, reviewId);
  const { ticketId, runId } = review;
  if (review.kind === 'base' || ticketId === null || runId === null) return;
  if (review.kind === 'merge') return landAgain(tx, review);
  // Withdrawn or sent back meanwhile: this word comes late. Both are kept as they are, so who ends them then finds the change.
  if ((await holdSubmitted(tx, runId)) === undefined) return;
  const ticket = await keepTicket(tx, ticketId);
  if (ticket?.status !== 'verifying' && ticket?.status !== 'merging') return;
  if (await isOvertaken(tx, review, ticketId)) return;
  const project = await getProject(tx, trunk.projectId);
  const isFlagged = review.flags.length > 0 && project.testChanges === 'ask';
  const state: ChangeState = isFlagged ? 'open' : 'queued';
  const shas = [review.headSha, review.baseSha, review.id, runId];
  const values = [trunkId, ticketId, state, isFlagged ? 'needed' : 'not_needed', ...shas, JSON.stringify(review.flags)];
  const [change] = await tx.query(putChange, [tx.tenantId, ...values]);
  if (change === undefined) return;
  if (isFlagged) {
    await ticketWaits(tx, ticketId, 'a person must look at it: it changes what judges it (tests, checks, CI or dependencies)');
    announceChange(tx, change, { type: 'change.flagged', flags: review.flags });
  } else {
    if (ticket.status === 'verifying') await mergeTicket(tx, ticketId);
    announceChange(tx, change, { type: 'change.queued' });
  }
}

/** Its conflict was resolved and reviewed since: that is what lands, and said twice, the review of what it began from changes nothing. */
async function isOvertaken(tx: Tx, { id, createdAt }: ReviewRow, ticketId: string): Promise<boolean> {
  const change = await findChange(tx, ticketId);
  return change !== undefined && change.reviewId !== id && (await getReview(tx, change.reviewId)).createdAt > createdAt;
}

/** It was checked again as it would land now. */
async function landAgain(tx: Tx, { id, ticketId, runId, baseSha }: ReviewRow): Promise<void> {
  const change = ticketId === null ? undefined : await findChange(tx, ticketId);
  if (change === undefined) return;
  const [rebased] = await tx.query(rebaseChangeRow, [tx.tenantId, change.id, id, baseSha, runId]);
  if (rebased !== undefined) announceChange(tx, rebased, { type: 'change.merging' });
}

/** A person has looked at the flags of this head. Throws Fault `wrong_state` where it is not that, or not asked. */
export async function approveChange(tx: Tx, id: string, headSha: string): Promise<ChangeRow> {
  const change = await holdChange(tx, id);
  const [approved] = await tx.query(approveChangeRow, [tx.tenantId, id, headSha, tx.actor]);
  if (approved === undefined) throw notWaiting(change, headSha);
  announceChange(tx, approved, { type: 'change.approved', by: tx.actor });
  const queued = await moveChange(tx, id, { verb: 'queue' });
  if (queued === undefined || (await mergeTicket(tx, change.ticketId)) === undefined) {
    throw new Fault('wrong_state', { message: `${change.ticketId} does not wait any more` });
  }
  announceChange(tx, queued, { type: 'change.queued' });
  return queued;
}

/** A person does not want it like this: back to the agent, with the reason. */
export async function rejectChange(
  tx: Tx,
  id: string,
  { reason, settings }: { reason: string; settings: ReviewSettings },
): Promise<ChangeRow> {
  const change = await holdChange(tx, id);
  const [rejected] = await tx.query(rejectChangeRow, [tx.tenantId, id, reason]);
  if (rejected === undefined) throw notWaiting(change, change.headSha);
  announceChange(tx, rejected, { type: 'change.rejected', reason, by: tx.actor });
  const { id: changeId, ticketId, runId, flags, reviewId } = change;
  const { candidateSha: resumeSha } = await getReview(tx, reviewId);
  const sent = { ticketId, checks: [], rejection: { reason, flags }, resumeSha };
  const own = await submittedRunOf(tx, ticketId);
  if (own?.id !== runId) await sendResolutionBack(tx, { ...sent, runId, changeId });
  if (own !== undefined) await sendBack(tx, settings, { ...sent, runId: own.id, reason });
  return rejected;
}

/** A review has found the work wanting: what was on the way into the trunk is not any more, and the next may go. */
export async function takeBackChange(tx: Tx, reviewId: string): Promise<void> {
  const { ticketId, runId, reason } = await getReview(tx, reviewId);
  const held = ticketId === null ? undefined : await holdChangeOf(tx, ticketId);
  // What that run handed in: a resolution that is found wanting leaves the change in its conflict, and a later attempt is not meant.
  if (held?.change.runId === runId) await leaveQueue(tx, held, { verb: 'return', type: 'change.returned', reason: reason ?? '' });
}

/** The ticket was cancelled or has failed, and perhaps goes on since: a change that carries none of its work any more is closed. */
export async function closeChange(tx: Tx, ticketId: string): Promise<void> {
  const held = await holdChangeOf(tx, ticketId);
  if (held === undefined || (await carriesWork(tx, held.change, ['verifying', 'merging', 'waiting']))) return;
  await leaveQueue(tx, held, { verb: 'close', type: 'change.closed', reason: 'its ticket was cancelled or has failed' });
}

/**
 * Whether what a change carries is still its ticket's work: not withdrawn nor sent back, and the ticket in one of these statuses.
 * The ticket and its submission stay so until the transaction ends.
 */
export async function carriesWork(
  tx: Tx,
  { runId, ticketId }: ChangeRow,
  statuses: readonly TicketRow['status'][] = ['merging'],
): Promise<boolean> {
  const own = await submittedRunOf(tx, ticketId);
  const isHeld = own !== undefined && (await holdSubmitted(tx, own.id)) !== undefined;
  const { state } = await getRun(tx, runId);
  const ticket = await keepTicket(tx, ticketId);
  // A resolution that met a second conflict is accepted already.
  return isHeld && (state === 'submitted' || state === 'accepted') && ticket !== undefined && statuses.includes(ticket.status);
}

export async function getChange(tx: Tx, id: string): Promise<ChangeRow> {
  const [change] = await tx.query(changeById, [tx.tenantId, id]);
  if (change === undefined) throw new Fault('change_not_found');
  return change;
}

export interface ChangeFilter {
  readonly state?: ChangeState | undefined;
  readonly ticketId?: string | undefined;
  readonly trunkId?: string | undefined;
}

/** Changes, newest first. */
export function listChanges(tx: Tx, { state, ticketId, trunkId }: ChangeFilter, limit = listMax): Promise<ChangeRow[]> {
  return tx.query(changesFiltered, [tx.tenantId, state ?? null, ticketId ?? null, trunkId ?? null, limit]);
}

export async function moveChange(
  tx: Tx,
  id: string,
  { verb, reason }: { verb: 'queue' | 'merge' | 'return' | 'close'; reason?: string },
): Promise<ChangeRow | undefined> {
  const { to, from } = move(changeMachine, verb);
  const [change] = await tx.query(moveChangeRow, [tx.tenantId, id, to, from, reason ?? null]);
  return change;
}

export function announceChange(tx: Tx, change: ChangeRow, { type, ...news }: News): void {
  const { id, trunkId, ticketId, state, headSha } = change;
  tx.announce({ type, subject: { type: 'change', id }, payload: { trunkId, ticketId, state, head: headSha, ...news } });
}

export interface HeldChange {
  readonly trunk: TrunkRow;
  readonly change: ChangeRow;
}

/** Takes a change off the queue; where the trunk was kept for it, the next may go. The caller holds the trunk. */
export async function leaveQueue(
  tx: Tx,
  { trunk, change }: HeldChange,
  step: { verb: 'return' | 'close'; type: EventType; reason: string },
): Promise<void> {
  const left = await moveChange(tx, change.id, step);
  if (left === undefined) return;
  if (trunk.mergingId === change.id) await reserve(tx, trunk.id, null);
  announceChange(tx, left, { type: step.type, reason: step.reason });
}

/** The change of a ticket, under the lock of its trunk. */
async function holdChangeOf(tx: Tx, ticketId: string): Promise<HeldChange | undefined> {
  const found = await findChange(tx, ticketId);
  if (found === undefined) return undefined;
  const trunk = await holdTrunk(tx, found.trunkId);
  return { trunk, change: await getChange(tx, found.id) };
}

async function findChange(tx: Tx, ticketId: string): Promise<ChangeRow | undefined> {
  const [change] = await tx.query(changeOfTicket, [tx.tenantId, ticketId]);
  return change;
}

async function holdChange(tx: Tx, id: string): Promise<ChangeRow> {
  await holdTrunk(tx, (await getChange(tx, id)).trunkId);
  const [change] = await tx.query(changeForUpdate, [tx.tenantId, id]);
  if (change === undefined) throw new Fault('change_not_found');
  return change;
}

function notWaiting({ state, approval, headSha, ticketId }: ChangeRow, seen: string): Fault {
  if (state === 'open' && approval === 'needed' && headSha !== seen) {
    return new Fault('wrong_state', {
      message: `The change of ${ticketId} is at ${headSha.slice(0, 12)} now; what you looked at was ${seen.slice(0, 12)}`,
      hint: 'Look at it again: skep change show',
      facts: { head_sha: headSha },
    });
  }
  return new Fault('wrong_state', {
    message: `The change of ${ticketId} is ${state} and waits for nobody`,
    facts: { currentState: state },
  });
}
