import type { ticketStatuses, ticketTypes } from '../../../../contract/tickets.ts';
import type { Machine } from '../../../kernel/machine.ts';

export type TicketStatus = (typeof ticketStatuses)[number];
export type TicketType = (typeof ticketTypes)[number];
export type TicketVerb = 'ready' | 'block' | 'claim' | 'run' | 'verify' | 'merge' | 'complete' | 'wait' | 'fail' | 'cancel';

/** `ready` out of a later state is a send-back: the attempt is over and the ticket waits for the next. */
export const ticketMachine: Machine<TicketStatus, TicketVerb> = {
  pending: { ready: 'ready', block: 'blocked', cancel: 'cancelled' },
  blocked: { ready: 'ready', block: 'blocked', cancel: 'cancelled' },
  ready: { ready: 'ready', claim: 'claimed', block: 'blocked', wait: 'waiting', fail: 'failed', cancel: 'cancelled' },
  claimed: { run: 'running', verify: 'verifying', ready: 'ready', wait: 'waiting', fail: 'failed', cancel: 'cancelled' },
  running: { verify: 'verifying', ready: 'ready', wait: 'waiting', fail: 'failed', cancel: 'cancelled' },
  verifying: { merge: 'merging', complete: 'completed', ready: 'ready', wait: 'waiting', fail: 'failed', cancel: 'cancelled' },
  merging: { complete: 'completed', ready: 'ready', wait: 'waiting', fail: 'failed', cancel: 'cancelled' },
  waiting: { merge: 'merging', ready: 'ready', block: 'blocked', fail: 'failed', cancel: 'cancelled' },
  failed: { ready: 'ready', block: 'blocked', cancel: 'cancelled' },
  completed: {},
  cancelled: {},
};

/** What may still be edited: nothing that an agent may be working from right now, and nothing that is over. */
export const editableStatuses: readonly TicketStatus[] = ['pending', 'blocked', 'ready', 'waiting', 'failed'];

/** What cannot move by itself any more. While any child of an epic is in another status than these, the epic runs. */
const still: readonly TicketStatus[] = ['completed', 'cancelled', 'failed', 'blocked'];

/** Whether the epic of a ticket that moves so runs before and after it, whatever its other children do. */
export function leavesEpicRunning({ from, to }: { from: readonly TicketStatus[]; to: TicketStatus }): boolean {
  return ![...from, to].some(status => still.includes(status));
}

/**
 * The status of an epic, from those in which its children are: completed when the work that was not cancelled is, failed when a
 * failure is all that is left to look at, running while anything can still move.
 */
export function epicStatus(children: ReadonlySet<TicketStatus>): TicketStatus {
  const areAll = (...statuses: readonly TicketStatus[]) => [...children].every(status => statuses.includes(status));
  if (children.size === 0) return 'running';
  if (areAll('cancelled')) return 'cancelled';
  if (areAll('completed', 'cancelled')) return 'completed';
  // Blocked children behind a failed one cannot move either.
  if (children.has('failed') && areAll(...still)) return 'failed';
  return 'running';
}

/** `TKT-001`; the digits grow when they must. */
export function formatTicketId(number: number): string {
  return `TKT-${String(number).padStart(3, '0')}`;
}
