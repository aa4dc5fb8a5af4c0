import { z } from 'zod';
import { cursor, pageLimit, time } from './fields.ts';

/**
 * Every event type, with the name under which clients of the live stream see it (PRODUCT 3.13).
 * A type is `<noun>.<past participle>`; flow.ts says which verb it starts, or that it starts none.
 */
export const eventNames = {
  'project.created': 'projectUpdate',
  'project.changed': 'projectUpdate',
  'template.changed': 'templateUpdate',
  'template.removed': 'templateUpdate',
  'router.changed': 'templateUpdate',
  'token.created': 'tokenUpdate',
  'token.revoked': 'tokenUpdate',
  'session.opened': 'sessionUpdate',
  'session.answered': 'sessionMessage',
  'session.planning': 'sessionProgress',
  'session.asked': 'sessionMessage',
  'session.stalled': 'sessionMessage',
  'session.reviewing': 'sessionUpdate',
  'session.approved': 'approvalResolved',
  'session.rejected': 'approvalResolved',
  'session.building': 'sessionUpdate',
  'session.completed': 'sessionUpdate',
  'session.cancelled': 'sessionUpdate',
  'spec.generated': 'specGenerated',
  'spec.executing': 'sessionProgress',
  'spec.completed': 'sessionProgress',
  'spec.cancelled': 'sessionProgress',
  'tickets.generated': 'ticketsGenerated',
  'ticket.created': 'ticketUpdate',
  'ticket.changed': 'ticketUpdate',
  'ticket.blocked': 'ticketUpdate',
  'ticket.ready': 'ticketUpdate',
  'ticket.claimed': 'ticketUpdate',
  'ticket.running': 'ticketUpdate',
  'ticket.verifying': 'ticketUpdate',
  'ticket.merging': 'ticketUpdate',
  'ticket.waiting': 'ticketUpdate',
  'ticket.completed': 'ticketUpdate',
  'ticket.failed': 'ticketUpdate',
  'ticket.cancelled': 'ticketUpdate',
  'epic.completed': 'ticketUpdate',
  'epic.failed': 'ticketUpdate',
  'epic.cancelled': 'ticketUpdate',
  'epic.running': 'ticketUpdate',
  'run.queued': 'runUpdate',
  'run.routed': 'runUpdate',
  'run.leased': 'runUpdate',
  'run.started': 'runUpdate',
  'run.reported': 'runOutput',
  'run.submitted': 'runUpdate',
  'run.accepted': 'runUpdate',
  'run.failed': 'runUpdate',
  'run.lost': 'runUpdate',
  'run.returned': 'runUpdate',
  'run.exhausted': 'runUpdate',
  'run.cancelled': 'runUpdate',
  'run.parked': 'runUpdate',
  'run.halted': 'runUpdate',
  'run.health': 'runUpdate',
  'run.aged': 'runUpdate',
  'run.carried': 'runUpdate',
  'run.rescued': 'runUpdate',
  'run.retried': 'runUpdate',
  'worker.joined': 'fleetUpdate',
  'worker.draining': 'fleetUpdate',
  'worker.left': 'fleetUpdate',
  'worker.gone': 'fleetUpdate',
  'sandbox.killed': 'fleetUpdate',
  'brake.pulled': 'fleetUpdate',
  'brake.eased': 'fleetUpdate',
  'brake.lifted': 'fleetUpdate',
  'breaker.opened': 'fleetUpdate',
  'breaker.closed': 'fleetUpdate',
  'limit.changed': 'fleetUpdate',
  'limit.removed': 'fleetUpdate',
  'trunk.opened': 'trunkUpdate',
  'trunk.ready': 'trunkUpdate',
  'trunk.refused': 'trunkUpdate',
  'trunk.published': 'trunkUpdate',
  'trunk.stalled': 'trunkUpdate',
  'review.opened': 'reviewUpdate',
  'review.skipped': 'reviewUpdate',
  'review.passed': 'reviewUpdate',
  'review.needs_work': 'reviewUpdate',
  'review.failed': 'reviewUpdate',
  'review.inconclusive': 'reviewUpdate',
  'change.flagged': 'approvalRequested',
  'change.approved': 'approvalResolved',
  'change.rejected': 'approvalResolved',
  'change.queued': 'changeUpdate',
  'change.merging': 'changeUpdate',
  'change.conflict': 'changeUpdate',
  'change.returned': 'changeUpdate',
  'change.merged': 'changeUpdate',
  'change.closed': 'changeUpdate',
  'question.opened': 'approvalRequested',
  'question.answered': 'approvalResolved',
  'question.expired': 'approvalResolved',
  'result.submitted': 'resultUpdate',
  'result.validated': 'resultUpdate',
  'result.rejected': 'resultUpdate',
  'budget.changed': 'budgetUpdate',
  'budget.removed': 'budgetUpdate',
  'budget.warned': 'budgetUpdate',
  'budget.alerted': 'budgetUpdate',
  'budget.spent': 'budgetUpdate',
} as const;

export type EventType = keyof typeof eventNames;

/** What is told of a thing beside what every event of its kind says. */
export type News = { readonly type: EventType } & Readonly<Record<string, unknown>>;

export const eventTypes = Object.keys(eventNames) as EventType[];

export const event = z
  .object({
    cursor,
    type: z.string(),
    name: z.string().meta({ description: 'The name of its kind for live clients, such as ticketUpdate' }),
    subject: z.object({ type: z.string(), id: z.string() }),
    actor: z.string(),
    at: time,
    payload: z.record(z.string(), z.unknown()),
  })
  .meta({ id: 'Event' });

export const eventFilter = z.object({
  after: cursor.optional().meta({ description: 'Only events later than this cursor; absent: from the beginning' }),
  subject: z.string().max(200).optional().meta({ description: 'Only events of this subject id, such as TKT-001' }),
  limit: pageLimit,
});
export const eventPage = z.object({
  events: z.array(event),
  next: cursor.meta({ description: 'Pass as after for what follows' }),
});

/** `after=now` begins with what happens from here on. */
export const liveFilter = z.object({ after: cursor.optional() });

/** What the live socket sends, one JSON text per frame. */
export const liveFrame = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('event'), event }),
  z.object({ kind: z.literal('ready'), cursor }).meta({ description: 'All stored events were sent; what follows is live' }),
]);

/** Close codes of the live socket beside the standard ones. */
export const liveCloseCodes = { tokenRevoked: 4401, tooSlow: 4408, badCursor: 4400 } as const;

export type WireEvent = z.infer<typeof event>;
export type LiveFrame = z.infer<typeof liveFrame>;
